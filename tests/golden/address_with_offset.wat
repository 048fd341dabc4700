;; Offsets up to 2^31 - 1 are displacements; larger ones are added. An i32.add may wrap and stays
;; an instruction of its own. A constant address joins its offset.
(module (memory 1)
  (func (export "small") (param i32) (result i32) (i32.load offset=12 (local.get 0)))
  (func (export "largest") (param i32) (result i32) (i32.load offset=2147483647 (local.get 0)))
  (func (export "larger") (param i32) (result i32) (i32.load offset=2147483648 (local.get 0)))
  (func (export "added") (param i32) (result i32)
    (i32.load offset=4 (i32.add (local.get 0) (i32.const 8))))
  (func (export "constant") (result i32) (i32.load offset=4 (i32.const 1024))))
