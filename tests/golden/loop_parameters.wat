;; Values that a loop takes travel in slots.
(module
  (func (export "down") (param i32) (result i32)
    (i32.const 0) (local.get 0)
    (loop (param i32 i32) (result i32)
      (local.set 0)
      (i32.add (local.get 0))
      (i32.sub (local.get 0) (i32.const 1))
      (br_if 0 (i32.ne (local.get 0) (i32.const 1)))
      (drop))))
