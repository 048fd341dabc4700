;; Bulk operations are helpers with their segment and memory as immediates.
(module (memory 1) (data "abcd")
  (func (export "all") (param i32 i32 i32)
    (memory.copy (local.get 0) (local.get 1) (local.get 2))
    (memory.fill (local.get 0) (i32.const 255) (local.get 2))
    (memory.init 0 (local.get 0) (i32.const 0) (i32.const 4))
    (data.drop 0)))
