;; With checked bounds an access first compares its end with the memory's size; each comparison has its own trap.
;; objdump: --bounds checked
(module (memory 1)
  (func (export "variable") (param i32 i64) (result i32)
    (i64.store offset=8 (local.get 0) (local.get 1))
    (i32.load8_u (local.get 0)))
  (func (export "constant") (result i64)
    (i64.load offset=4 (i32.const 12)))
  (func (export "folded") (param i32 f64) (result f64)
    (f64.mul (local.get 1) (f64.load offset=16 (local.get 0))))
  (func (export "far") (param i32) (result i32)
    (i32.add (i32.load16_s offset=0x7fffffff (local.get 0)) (i32.load8_u offset=0xffffffff (i32.const 1)))))
