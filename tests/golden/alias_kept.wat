;; A local that is set while its old value waits on the stack is copied first.
(module
  (func (export "swap") (param i32 i32) (result i32)
    (local.get 0) (local.set 0 (local.get 1)) (local.set 1)
    (i32.sub (local.get 0) (local.get 1)))
  (func (export "post_increment") (param i32) (result i32)
    (local.get 0)
    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
    (i32.mul (local.get 0))))
