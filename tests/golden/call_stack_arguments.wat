;; Arguments beyond the registers go on the stack, and the callee pops them.
(module
  (func $f (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.add (local.get 6) (local.get 7)))
  (func (export "g") (result i32)
    (call $f (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5) (i32.const 6)
             (i32.const 7) (i32.const 8))))
