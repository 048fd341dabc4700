;; Constants are stored as immediates, narrow stores take the low bytes.
(module (memory 1)
  (func (export "all") (param i32 i64 f32)
    (i32.store (local.get 0) (i32.const -1))
    (i64.store offset=8 (local.get 0) (local.get 1))
    (i64.store8 offset=16 (local.get 0) (local.get 1))
    (i32.store16 offset=18 (local.get 0) (i32.const 65))
    (f32.store offset=20 (local.get 0) (local.get 2))))
