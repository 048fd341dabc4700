;; Edges that must move values first lie behind the table, one for each target.
(module
  (func (export "pick") (param i32 i64) (result i64)
    (block (result i64 i64)
      (i64.const 9)
      (block (result i64 i64)
        (br_table 0 1 0 (local.get 1) (i64.mul (local.get 1) (local.get 1)) (local.get 0)))
      i64.add)
    i64.sub))
