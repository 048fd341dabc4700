;; Declared locals begin as zero: homes by xor, a few slots one by one, many in a loop.
(module
  (func (export "few") (result f64) (local i32 i64 f64 externref) (local.get 2))
  (func (export "many") (result i32) (local i32) (local externref externref externref externref
    externref externref externref externref externref externref externref externref externref)
    (local.get 0)))
