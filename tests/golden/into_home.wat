;; A result is computed straight into the local that takes it.
(module
  (func (export "set") (param i32 i32) (result i32) (local i32 i32)
    (local.set 2 (i32.mul (local.get 0) (local.get 1)))
    (local.set 3 (i32.sub (local.get 2) (local.get 0)))
    (i32.or (local.tee 0 (i32.add (local.get 2) (i32.const 3))) (local.get 3))))
