;; The locals of the inner loop get registers first.
(module (memory 1)
  (func (export "sum") (param $rows i32) (param $columns i32) (result i32)
    (local $row i32) (local $column i32) (local $at i32) (local $total i32)
    (loop $outer
      (local.set $column (i32.const 0))
      (loop $inner
        (local.set $total (i32.add (local.get $total) (i32.load (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $column (i32.add (local.get $column) (i32.const 1)))
        (br_if $inner (i32.lt_u (local.get $column) (local.get $columns))))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br_if $outer (i32.lt_u (local.get $row) (local.get $rows))))
    (local.get $total)))
