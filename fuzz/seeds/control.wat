;; Blocks with parameters and results, loops, tables of labels, dead code.
(module
  (func (param $n i32) (result i64) (local $i i32) (local $sum i64)
    (block $done
      (loop $again
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $again)))
    (local.get $sum))
  (func (param i32) (result i32 i32)
    (block $a (result i32)
      (block $b (result i32)
        (br_table $a $b $a (i32.const 7) (local.get 0)))
      (drop) (return (i32.const 1) (i32.const 2)))
    (if (param i32) (result i32 i32) (local.get 0)
      (then (i32.const 3))
      (else (i32.const 4) (unreachable) (i32.add))))
  (func (result f32)
    (select (f32.const 1) (f32.const nan) (i32.const 0))
    (loop (param f32) (result f32) (f32.neg))
    (return) (drop) (br 0)))
