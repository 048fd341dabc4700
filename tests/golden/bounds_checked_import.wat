;; With checked bounds: the size of an imported memory is behind a pointer, which takes a register for a moment.
;; objdump: --bounds checked
(module (import "m" "memory" (memory 1))
  (func (export "variable") (param i32) (result i32)
    (i32.load offset=8 (local.get 0)))
  (func (export "constant") (param f32)
    (f32.store offset=4 (i32.const 12) (local.get 0))))
