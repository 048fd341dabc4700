;; An import is called through its record and the switching stub.
(module
  (import "env" "log" (func $log (param i32)))
  (func (export "g") (param i32) (result i32)
    (call $log (local.get 0))
    (local.get 0)))
