;; A comparison and the branch on it are one pair of instructions; eqz turns it round.
(module
  (func (export "clamp") (param i32 i32) (result i32)
    (block (br_if 0 (i32.lt_s (local.get 0) (local.get 1)))
           (return (local.get 1)))
    (local.get 0))
  (func (export "not_below") (param i64 i64) (result i32)
    (if (result i32) (i32.eqz (i64.lt_u (local.get 0) (local.get 1)))
      (then (i32.const 1)) (else (i32.const 2))))
  (func (export "zero") (param i32)
    (block (br_if 0 (i32.eqz (local.get 0))) unreachable)))
