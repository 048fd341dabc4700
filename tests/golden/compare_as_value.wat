;; A comparison that no branch takes becomes 0 or 1, in its local's home when one follows.
(module
  (func (export "both") (param i32 i32) (result i32)
    (i32.and (i32.lt_s (local.get 0) (i32.const 10)) (i32.gt_u (local.get 1) (local.get 0))))
  (func (export "set") (param i64 i64) (result i32) (local i32)
    (local.set 2 (i64.eq (local.get 0) (local.get 1)))
    (i32.add (local.get 2) (local.get 2))))
