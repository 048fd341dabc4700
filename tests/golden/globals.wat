;; Own globals lie in the context, imported ones behind a pointer.
(module
  (import "env" "theirs" (global $theirs (mut i32)))
  (global $ours (mut i64) (i64.const 1))
  (func (export "both") (param i32) (result i64)
    (global.set $theirs (i32.add (global.get $theirs) (local.get 0)))
    (global.set $ours (i64.add (global.get $ours) (i64.const 1)))
    (global.get $ours)))
