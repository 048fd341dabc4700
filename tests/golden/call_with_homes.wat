;; Homes that a call would destroy are saved once and loaded again at their first use.
(module
  (func $f (param i32) (result i32) (local.get 0))
  (func (export "loop") (param $n i32) (result i32) (local $sum i32) (local $step i32) (local $x i32)
    (local $y i32)
    (local.set $step (i32.const 3))
    (local.set $y (local.get $n))
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $f (local.get $n))))
      (local.set $x (i32.add (local.get $x) (local.get $y)))
      (local.set $n (i32.sub (local.get $n) (local.get $step)))
      (br_if $next (i32.gt_s (local.get $n) (i32.const 0))))
    (i32.add (local.get $sum) (local.get $x))))
