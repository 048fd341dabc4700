;; Operands are put in the order that makes "unordered" false; ne asks for the parity flag too.
(module
  (func (export "less") (param f64 f64) (result i32)
    (if (result i32) (f64.lt (local.get 0) (local.get 1))
      (then (i32.const 1)) (else (i32.const 2))))
  (func (export "equal") (param f32 f32) (result i32) (f32.eq (local.get 0) (local.get 1)))
  (func (export "not_equal") (param f32 f32)
    (block (br_if 0 (f32.ne (local.get 0) (local.get 1))) unreachable)))
