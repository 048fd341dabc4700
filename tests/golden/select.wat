;; A conditional move; a float's is a branch around one.
(module
  (func (export "integer") (param i32 i32) (result i32)
    (select (local.get 0) (local.get 1) (i32.lt_s (local.get 0) (local.get 1))))
  (func (export "wide") (param i64 i64 i32) (result i64)
    (select (local.get 0) (local.get 1) (local.get 2)))
  (func (export "float") (param f64 f64 i32) (result f64)
    (select (local.get 0) (local.get 1) (local.get 2))))
