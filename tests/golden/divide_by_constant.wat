;; What division by a constant becomes.
(module
  (func (export "u8") (param i32) (result i32) (i32.div_u (local.get 0) (i32.const 8)))
  (func (export "u10") (param i32) (result i32) (i32.div_u (local.get 0) (i32.const 10)))
  (func (export "s10") (param i32) (result i32) (i32.div_s (local.get 0) (i32.const 10)))
  (func (export "rem_u16") (param i32) (result i32) (i32.rem_u (local.get 0) (i32.const 16)))
  (func (export "minus_one") (param i32) (result i32) (i32.div_s (local.get 0) (i32.const -1)))
  (func (export "zero") (param i64) (result i64) (i64.rem_u (local.get 0) (i64.const 0))))
