;; A float to an integer: the common case inline, what is out of range aside.
(module
  (func (export "s32_f64") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
  (func (export "u32_f32") (param f32) (result i32) (i32.trunc_f32_u (local.get 0)))
  (func (export "u64_f64") (param f64) (result i64) (i64.trunc_f64_u (local.get 0))))
