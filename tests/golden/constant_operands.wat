;; Constants are immediates where they fit in 32 bits, whichever side they are on.
(module
  (func (export "right") (param i64) (result i64)
    (i64.add (i64.xor (local.get 0) (i64.const -2)) (i64.const 81985529216486895)))
  (func (export "left") (param i32) (result i32)
    (i32.sub (i32.const 100) (i32.mul (i32.const 7) (local.get 0))))
  (func (export "store") (param i32) (nop))
  (func (export "folded") (result i32) (i32.add (i32.const 2) (i32.const 3))))
