;; A full-width load is the memory operand of what takes it.
(module (memory 1)
  (func (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 1) (i32.load (local.get 0))))
  (func (export "compare") (param i32 i64) (result i32)
    (i64.eq (local.get 1) (i64.load offset=8 (local.get 0))))
  (func (export "floats") (param i32 f64) (result f64)
    (f64.mul (local.get 1) (f64.load (local.get 0)))))
