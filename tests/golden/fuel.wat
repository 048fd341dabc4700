;; With fuel: a function's entry pays for the operations outside its loops, a loop's head for those of one turn.
;; objdump: --fuel
(module
  (func (export "sum") (param $n i32) (result i32) (local $sum i32)
    (if (local.get $n) (then
      (loop $next
        (local.set $sum (i32.add (local.get $sum) (local.get $n)))
        (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
    (local.get $sum)))
