;; The first result of each class is in a register, the others in the context's buffer.
(module
  (func $f (result i32 f64 i64 i32)
    (i32.const 1) (f64.const 2) (i64.const 3) (i32.const 4))
  (func (export "g") (result i32) (local f64 i64)
    (call $f)
    (drop) (local.set 1) (local.set 0)))
