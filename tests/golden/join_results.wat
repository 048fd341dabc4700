;; Results of a block meet in one register of each class and its slot.
(module
  (func (export "wide") (param i32 i64) (result i64)
    (if (result i64) (local.get 0)
      (then (i64.add (local.get 1) (i64.const 1))) (else (i64.const -1))))
  (func (export "float") (param i32 f64) (result f64)
    (block (result f64)
      (br_if 0 (f64.neg (local.get 1)) (local.get 0))
      (drop) (f64.const 0.5))))
