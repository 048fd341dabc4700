;; Arguments move in parallel: a cycle goes through the scratch register.
(module
  (func $f (param i32 i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))
  (func (export "rotate") (param i32 i32 i32) (result i32)
    (call $f (local.get 1) (local.get 2) (local.get 0))))
