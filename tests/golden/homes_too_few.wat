;; objdump: --homes 2
;; Locals without a home are memory operands.
(module
  (func (export "mix") (param i32 i32 i32 i32) (result i32)
    (local.set 2 (i32.add (local.get 2) (local.get 3)))
    (local.set 3 (i32.xor (local.get 3) (i32.const 1)))
    (i32.add (i32.mul (local.get 0) (local.get 1))
             (i32.add (i32.mul (local.get 0) (local.get 1))
                      (i32.sub (local.get 2) (local.get 3))))))
