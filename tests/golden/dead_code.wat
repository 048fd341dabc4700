;; Behind an unconditional branch nothing is generated.
(module
  (func (export "early") (param i32) (result i32)
    (block
      (br_if 0 (local.get 0))
      (return (i32.const 1))
      (drop (i32.add (i32.const 1) (i32.const 2))))
    (unreachable)
    (i32.const 3)))
