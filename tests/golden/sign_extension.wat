;; Extensions between registers; of 32 bits unsigned nothing is left to do.
(module
  (func (export "s8") (param i32) (result i32) (i32.extend8_s (local.get 0)))
  (func (export "s16") (param i64) (result i64) (i64.extend16_s (local.get 0)))
  (func (export "s32") (param i32) (result i64) (i64.extend_i32_s (local.get 0)))
  (func (export "u32") (param i32) (result i64) (i64.extend_i32_u (local.get 0))))
