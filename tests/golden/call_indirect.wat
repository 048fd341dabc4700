;; Bounds, null by fault, type by one compare, then straight when the context is the same.
(module
  (type $binary (func (param i32 i32) (result i32)))
  (table 4 funcref)
  (func (export "apply") (param i32 i32 i32) (result i32)
    (call_indirect (type $binary) (local.get 0) (local.get 1) (local.get 2))))
