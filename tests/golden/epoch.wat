;; With epoch: a function's entry and a loop's head read a word; aside lies the way to who decides, and back.
;; objdump: --epoch
(module
  (func (export "sum") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
