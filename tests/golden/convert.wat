;; Integers to floats; from u64 the upper half has a way of its own.
(module
  (func (export "s32") (param i32) (result f64) (f64.convert_i32_s (local.get 0)))
  (func (export "u32") (param i32) (result f32) (f32.convert_i32_u (local.get 0)))
  (func (export "u64") (param i64) (result f64) (f64.convert_i64_u (local.get 0)))
  (func (export "bits") (param f64) (result i64) (i64.reinterpret_f64 (local.get 0))))
