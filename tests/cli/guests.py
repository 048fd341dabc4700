"""Small guests as WAT text. Each exits with the error number of what it tried, so that tests can tell."""

IMPORTS = {
    "fd_write": "i32 i32 i32 i32", "fd_read": "i32 i32 i32 i32", "args_sizes_get": "i32 i32", "args_get": "i32 i32",
    "environ_sizes_get": "i32 i32", "environ_get": "i32 i32", "fd_prestat_get": "i32 i32",
    "fd_prestat_dir_name": "i32 i32 i32", "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
}


def module(body, *imports):
    """A module of these imports of preview 1, proc_exit, one page of memory, and the body."""
    lines = ['(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))']
    lines += [f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {IMPORTS[name]}) (result i32)))'
              for name in imports]
    return "(module " + "\n".join(lines) + '(memory (export "memory") 1)' + body + ")"


EXIT_IF = "(func $check (param i32) (if (local.get 0) (then (call $proc_exit (local.get 0)))))"

# What was put at 1024, as long as the word at 4 says, goes to standard output.
PRINT = """(func $print (param $at i32) (param $length i32)
    (i32.store (i32.const 8) (local.get $at)) (i32.store (i32.const 12) (local.get $length))
    (call $check (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16))))"""

EMPTY = '(module (func (export "_start")))'


def exits(code):
    return module(f'(func (export "_start") (call $proc_exit (i32.const {code})) unreachable)')


def strings(which):
    """Prints its arguments ("args") or its environment ("environ"), a zero behind each."""
    return module(EXIT_IF + PRINT + f"""(func (export "_start")
        (call $check (call ${which}_sizes_get (i32.const 0) (i32.const 4)))
        (call $check (call ${which}_get (i32.const 32768) (i32.const 1024)))
        (call $print (i32.const 1024) (i32.load (i32.const 4))))""", "fd_write", f"{which}_sizes_get", f"{which}_get")


# Copies standard input to standard output.
ECHO = module(EXIT_IF + PRINT + """(func (export "_start")
    (loop $again
        (i32.store (i32.const 24) (i32.const 1024)) (i32.store (i32.const 28) (i32.const 4096))
        (call $check (call $fd_read (i32.const 0) (i32.const 24) (i32.const 1) (i32.const 20)))
        (if (i32.load (i32.const 20))
            (then (call $print (i32.const 1024) (i32.load (i32.const 20))) (br $again)))))""", "fd_read", "fd_write")

HELLO = module(EXIT_IF + PRINT + """(data (i32.const 1024) "hello\\n")
    (func (export "_start") (call $print (i32.const 1024) (i32.const 6)))""", "fd_write")

# Prints the names of its preopens, a zero behind each.
PREOPENS = module(EXIT_IF + PRINT + """(func (export "_start") (local $fd i32)
    (local.set $fd (i32.const 3))
    (loop $next
        (if (i32.eqz (call $fd_prestat_get (local.get $fd) (i32.const 0)))
            (then
                (call $check (call $fd_prestat_dir_name (local.get $fd) (i32.const 1024) (i32.load (i32.const 4))))
                (i32.store8 (i32.add (i32.const 1024) (i32.load (i32.const 4))) (i32.const 0))
                (call $print (i32.const 1024) (i32.add (i32.load (i32.const 4)) (i32.const 1)))
                (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
                (br $next)))))""", "fd_write", "fd_prestat_get", "fd_prestat_dir_name")


def opens(path, fd=3, o_flags=0, rights=2):
    """Exits with what path_open says; 2 is reading, 64 writing."""
    return module(EXIT_IF + f"""(data (i32.const 1024) "{path}")
        (func (export "_start")
            (call $check (call $path_open (i32.const {fd}) (i32.const 1) (i32.const 1024) (i32.const {len(path)})
                (i32.const {o_flags}) (i64.const {rights}) (i64.const 0) (i32.const 0) (i32.const 0))))""", "path_open")


def grows(pages):
    """Exits with 0 when its memory grew by so many pages, else with 1."""
    return module(f"""(func (export "_start")
        (call $proc_exit (i32.eq (memory.grow (i32.const {pages})) (i32.const -1))))""")
