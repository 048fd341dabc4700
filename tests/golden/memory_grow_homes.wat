;; memory.grow is a helper: homes that do not survive a call are saved around it.
(module (memory 1 4)
  (func (export "grow") (param $pages i32) (result i32) (local $before i32) (local $at i32)
    (local.set $at (i32.shl (memory.size) (i32.const 16)))
    (local.set $before (memory.grow (local.get $pages)))
    (i32.store (local.get $at) (local.get $before))
    (i32.add (local.get $before) (local.get $at))))
