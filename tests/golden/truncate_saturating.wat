;; Nothing traps: out of range gives the nearest, NaN gives zero.
(module
  (func (export "s32") (param f64) (result i32) (i32.trunc_sat_f64_s (local.get 0)))
  (func (export "u32") (param f32) (result i32) (i32.trunc_sat_f32_u (local.get 0)))
  (func (export "s64") (param f32) (result i64) (i64.trunc_sat_f32_s (local.get 0))))
