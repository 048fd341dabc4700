;; objdump: --cpu v2
;; Without BMI2 a count goes through cl.
(module
  (func (export "left") (param i32 i32) (result i32) (i32.shl (local.get 0) (local.get 1)))
  (func (export "right") (param i64 i64) (result i64) (i64.shr_s (local.get 0) (local.get 1)))
  (func (export "rotate") (param i32 i32) (result i32) (i32.rotl (local.get 0) (local.get 1)))
  (func (export "constant") (param i32) (result i32) (i32.shr_u (local.get 0) (i32.const 3))))
