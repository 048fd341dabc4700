;; Blocks that leave more values than the code generator watches: what lies below them, still known only as "whatever
;; this local holds" or in a register, must be put away before it is out of sight, and be watched again if it is not.
(module
  (type $forty (func (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (type $through (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))

  ;; Aliases of a local below a block; then the local is set.
  (func (export "aliases") (param $a i32) (result i32)
    (local.get $a) (local.get $a) (local.get $a)
    (block (type $forty)
      (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5)
      (i32.const 6) (i32.const 7) (i32.const 8) (i32.const 9) (i32.const 10)
      (i32.const 11) (i32.const 12) (i32.const 13) (i32.const 14) (i32.const 15)
      (i32.const 16) (i32.const 17) (i32.const 18) (i32.const 19) (i32.const 20)
      (i32.const 21) (i32.const 22) (i32.const 23) (i32.const 24) (i32.const 25)
      (i32.const 26) (i32.const 27) (i32.const 28) (i32.const 29) (i32.const 30)
      (i32.const 31) (i32.const 32) (i32.const 33) (i32.const 34) (i32.const 35)
      (i32.const 36) (i32.const 37) (i32.const 38) (i32.const 39) (i32.const 40))
    (local.set $a (i32.const 1000000))
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    ;; three aliases and 820
    i32.add i32.add i32.add
    (i32.add (local.get $a)))

  ;; The same in a block of its own, with a value in a register and few results above the aliases.
  (func (export "nested") (param $a i32) (result i32)
    (local.get $a)
    (block (result i32)
      (i32.mul (local.get $a) (i32.const 3))
      (local.get $a)
      (block (result i32 i32) (i32.const 7) (i32.sub (local.get $a) (i32.const 1)))
      (local.set $a (i32.const 500))
      i32.add i32.add i32.add
      (i32.add (local.get $a)))
    i32.add)

  ;; Joined blocks, one after the other, then registers wanted above them.
  (func (export "joined") (param $a i32) (result i32)
    (local.get $a)
    (block (type $forty)
      (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5)
      (i32.const 6) (i32.const 7) (i32.const 8) (i32.const 9) (i32.const 10)
      (i32.const 11) (i32.const 12) (i32.const 13) (i32.const 14) (i32.const 15)
      (i32.const 16) (i32.const 17) (i32.const 18) (i32.const 19) (i32.const 20)
      (i32.const 21) (i32.const 22) (i32.const 23) (i32.const 24) (i32.const 25)
      (i32.const 26) (i32.const 27) (i32.const 28) (i32.const 29) (i32.const 30)
      (i32.const 31) (i32.const 32) (i32.const 33) (i32.const 34) (i32.const 35)
      (i32.const 36) (i32.const 37) (i32.const 38) (i32.const 39) (i32.const 40)
      (br_if 0 (local.get $a)))
    (block (type $through)
      (br_if 0 (i32.eqz (local.get $a))))
    (local.set $a (i32.add (local.get $a) (i32.const 1)))
    (i32.add (local.get $a) (i32.const 1)) (i32.add (local.get $a) (i32.const 2))
    (i32.add (local.get $a) (i32.const 3)) (i32.add (local.get $a) (i32.const 4))
    (i32.add (local.get $a) (i32.const 5)) (i32.add (local.get $a) (i32.const 6))
    (i32.add (local.get $a) (i32.const 7)) (i32.add (local.get $a) (i32.const 8))
    (i32.add (local.get $a) (i32.const 9)) (i32.add (local.get $a) (i32.const 10))
    (i32.add (local.get $a) (i32.const 11)) (i32.add (local.get $a) (i32.const 12))
    i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add)

  ;; A loop with forty parameters, and blocks whose parameters are further down than is watched.
  (func (export "loops") (param $n i32) (result i32) (local $last i32)
    (local.get $n)
    (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5)
    (i32.const 6) (i32.const 7) (i32.const 8) (i32.const 9) (i32.const 10)
    (i32.const 11) (i32.const 12) (i32.const 13) (i32.const 14) (i32.const 15)
    (i32.const 16) (i32.const 17) (i32.const 18) (i32.const 19) (i32.const 20)
    (i32.const 21) (i32.const 22) (i32.const 23) (i32.const 24) (i32.const 25)
    (i32.const 26) (i32.const 27) (i32.const 28) (i32.const 29) (i32.const 30)
    (i32.const 31) (i32.const 32) (i32.const 33) (i32.const 34) (i32.const 35)
    (i32.const 36) (i32.const 37) (i32.const 38) (i32.const 39) (i32.const 40)
    (loop (type $through)
      (local.set $last)
      (i32.add (local.get $last) (local.get $n))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (block (type $through) (br_if 0 (local.get $n)) (local.set $last) (i32.add (local.get $last) (i32.const 5)))
      (br_if 0 (local.get $n)))
    (local.set $n (i32.const 77))
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add i32.add
    i32.add))

(assert_return (invoke "aliases" (i32.const 11)) (i32.const 1000853))
(assert_return (invoke "nested" (i32.const 11)) (i32.const 572))
(assert_return (invoke "joined" (i32.const 0)) (i32.const 910))
(assert_return (invoke "joined" (i32.const 1)) (i32.const 923))
(assert_return (invoke "loops" (i32.const 1)) (i32.const 827))
(assert_return (invoke "loops" (i32.const 10)) (i32.const 890))
