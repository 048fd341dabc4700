;; The wrapped value of a local is a copy with a clear upper half before it is an address.
(module (memory 1)
  (func (export "load") (param i64) (result i32) (i32.load (i32.wrap_i64 (local.get 0))))
  (func (export "keep") (param i64) (result i64)
    (i64.add (i64.extend_i32_u (i32.wrap_i64 (local.get 0))) (local.get 0))))
