;; One arm calls and loses its homes; the join asks for what the first edge had.
(module
  (func $f)
  (func (export "arms") (param i32 i64 f64) (result f64)
    (if (local.get 0)
      (then (call $f))
      (else (local.set 1 (i64.add (local.get 1) (i64.const 5)))))
    (f64.add (local.get 2) (f64.convert_i64_s (local.get 1)))))
