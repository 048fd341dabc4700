;; Constants lie behind the code, zero is made; signs are bit operations.
(module
  (func (export "polynomial") (param f64) (result f64)
    (f64.add (f64.mul (local.get 0) (f64.const 2.5)) (f64.const 0)))
  (func (export "signs") (param f32 f32) (result f32)
    (f32.copysign (f32.neg (local.get 0)) (f32.abs (local.get 1))))
  (func (export "round") (param f64) (result f64) (f64.floor (f64.sqrt (local.get 0)))))
