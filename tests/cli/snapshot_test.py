#!/usr/bin/env python3
"""`wrun snapshot`, and what is run, told and refused of what it writes.
usage: snapshot_test.py WRUN [TEST…]     WRUN_WASMTIME_LIB names the library that assembles the guests."""
import json
import os
import subprocess
import sys
import unittest

from cli_test import HERE, CliTest, compiler

IMPORTS = {
    "fd_write": "i32 i32 i32 i32", "random_get": "i32 i32", "clock_time_get": "i32 i64 i32", "fd_close": "i32",
    "args_sizes_get": "i32 i32", "environ_sizes_get": "i32 i32", "environ_get": "i32 i32",
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
}


def module(body, *imports):
    """Imports of preview 1, one page of memory, a counter that `value` gives, and the body."""
    lines = ['(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))']
    lines += [f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {IMPORTS[name]}) (result i32)))'
              for name in imports]
    return "(module " + "\n".join(lines) + """(memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
        (func $add (param i32)
            (global.set $n (i32.add (i32.mul (global.get $n) (i32.const 10)) (local.get 0))))
        (func (export "value") (result i32) (global.get $n))""" + body + ")"


def adds(name, digit):
    """An export that puts a digit behind the counter."""
    return f'(func (export "{name}") (call $add (i32.const {digit})))'


def init(code, *imports):
    return module(f'(func (export "wizer.initialize") {code})', *imports)


def learns(name, code):
    return init(f"(drop (call ${name} {code}))", name)


LEARN = {
    "args": learns("args_sizes_get", "(i32.const 0) (i32.const 4)"),
    "env": learns("environ_get", "(i32.const 0) (i32.const 64)"),
    "clock": learns("clock_time_get", "(i32.const 0) (i64.const 0) (i32.const 0)"),
    "random": learns("random_get", "(i32.const 0) (i32.const 8)"),
    "files": learns("path_open", "(i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)"
                    "(i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0)"),
}

PRINT = """(data (i32.const 64) "init was here\\n")
    (func $print (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const 14))
        (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
        (i32.store (i32.const 20) (i32.const 4))
        (drop (call $fd_write (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 24))))"""


def opens_file(after=""):
    """Makes or opens a file in what is granted, and leaves what became of it in memory."""
    return init("""(i32.store (i32.const 8) (call $path_open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 1)
        (i32.const 5) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 12)))""" + after +
                """) (data (i32.const 64) "f") (func (export "drop")""", "path_open", "fd_close")


class Snapshots(CliTest):
    def setUp(self):
        super().setUp()
        self.out = self.path("out.wrun")

    def snapshot(self, wat, *options, code=0, err=[], out=""):
        return self.expect(code, "snapshot", "-o", self.out, *options, self.wasm(wat), out=out, err=err)

    def refused(self, wat, *options, err, code=1, out=""):
        """Says why, and leaves no file."""
        self.snapshot(wat, *options, code=code, err=err, out=out)
        self.assertEqual(os.listdir(self.folder), ["guest.wasm"])

    def run_it(self, *words, **more):
        return self.expect(0, "run", "--allow-precompiled", *words, self.out, **more)

    def value(self, *words):
        return self.run_it(*words, "--invoke", "value", err=[]).out.strip()

    def test_init_is_found_by_its_usual_names(self):
        names = ["wizer.initialize", "wizer-initialize", "_initialize"]
        for first in range(3):
            with self.subTest(first=first):
                self.snapshot(module("".join(adds(name, names.index(name) + 1) for name in reversed(names[first:]))))
                # What a reactor wants first comes first, and once.
                self.assertEqual(self.value(), ["31", "32", "3"][first])

    def test_init_is_named(self):
        self.snapshot(module(adds("mine", 7) + adds("wizer.initialize", 1)), "--init", "mine")
        self.assertEqual(self.value(), "7")

    def test_init_that_cannot_be(self):
        self.refused(module(""), err=["exports none of wizer.initialize, wizer-initialize and _initialize", "--init"])
        self.refused(module(adds("_initialize", 1)), "--init", "other", err="exports no function 'other'")
        self.refused(module(""), "--init", "memory", err="exports no function 'memory'")
        self.refused(module(""), "--init", "value", err=r"'value' is \(func \(result i32\)\)")
        self.refused('(module (import "a" "b" (func)) (func (export "_initialize")))', err="import is missing")
        self.refused('(module (import "a" "b" (memory 1)) (func (export "_initialize")))', err="import is missing")

    def test_init_that_does_not_return(self):
        self.refused(init("unreachable"), code=134, err=["its init trapped: unreachable", "wizer.initialize"])
        self.refused(init("(call $proc_exit (i32.const 0))"), err=r"its init called proc_exit\(0\)")

    def test_what_init_may_not_learn_unless_allowed(self):
        for kind, wat in LEARN.items():
            with self.subTest(kind=kind):
                self.refused(wat, code=134, err=[f"refused .* '{kind}'", f"--init-allow={kind}", "tainted"])
                others = ",".join(other for other in LEARN if other != kind)
                self.refused(wat, "--init-allow", others, code=134, err=f"--init-allow={kind}")
                self.snapshot(wat, f"--init-allow={kind}", err=f"out.wrun is tainted: its init could learn {kind},")
                os.remove(self.out)

    def test_tainted_ones_are_run_only_where_that_is_allowed(self):
        self.snapshot(init(""), "--init-allow=random,clock", err="tainted")
        self.expect(1, "--allow-precompiled", self.out, out="", err=["tainted", "--allow-tainted=clock,random"])
        for some in ("clock", "random", "args,env,files,clock"):
            self.expect(1, "--allow-precompiled", "--allow-tainted", some, self.out, err="tainted")
        self.expect(1, "--allow-tainted=clock,random", self.out, err="--allow-precompiled")
        for words in (["--allow-tainted=clock,random"], ["--allow-tainted=random", "--allow-tainted", "env,clock"]):
            self.assertEqual(self.value(*words), "0")
        self.expect(0, "verify", self.out, err="tainted: its init could learn clock, random")

    def test_what_is_given_to_init_must_be_allowed(self):
        for words, kind in ((["--env", "A=b"], "env"), (["--arg", "x"], "args"), (["--argv0", "x"], "args"),
                            (["--dir", "."], "files"), (["--env-file", "/dev/null"], "env")):
            with self.subTest(words=words):
                self.refused(init(""), *words, code=2, err=f"--init-allow={kind}")
        self.snapshot(init("(drop (call $environ_sizes_get (i32.const 0) (i32.const 4)))"
                           "(call $add (i32.load (i32.const 4)))", "environ_sizes_get"),
                      "--init-allow=env", "--env", "ABC=12", err="tainted")
        self.assertEqual(self.value("--allow-tainted=env", "--env", "OTHER=12345678"), "7")

    def test_init_must_leave_the_same_twice(self):
        os.mkdir(self.path("work"))
        grant = ["--init-allow=files", "--dir", self.path("work") + "::/"]
        close = "(if (i32.eqz (i32.load (i32.const 8))) (then (drop (call $fd_close (i32.load (i32.const 12))))))"
        self.snapshot(opens_file(close), *grant, code=1, err=["something else each time", "memory 0 at 0x"])
        self.assertEqual(sorted(os.listdir(self.folder)), ["guest.wasm", "work"])

    def test_init_must_close_what_it_opens(self):
        os.mkdir(self.path("work"))
        self.snapshot(opens_file(), "--init-allow=files", "--dir", self.path("work") + "::/", code=1,
                      err="left descriptor 4 otherwise than it was granted")
        closes = init("(drop (call $fd_close (i32.const 1)))", "fd_close")
        self.snapshot(closes, code=1, err="left descriptor 1 otherwise")

    def test_what_init_writes_is_shown_once(self):
        wat = init("(call $print)", "fd_write")[:-1] + PRINT + ")"
        done = self.snapshot(wat, out="init was here\n", err=["init", "wrote 14 B to standard output"])
        self.assertEqual(done.err.count("init\n") + done.err.count("initwrun"), 1)
        self.run_it("--invoke", "value", out="0\n", err=[])
        # Where ours is closed, init's goes nowhere.
        command = f'exec "$0" snapshot -o "{self.out}" "{self.path("guest.wasm")}" >&-'
        subprocess.run(["sh", "-c", command, sys.argv[1]], check=True, stderr=subprocess.DEVNULL)

    def test_a_snapshot_is_not_initialised_again(self):
        reactor = module(adds("_initialize", 3))
        self.snapshot(reactor)
        self.assertEqual(self.value(), "3")
        self.run_it(err="exports no _start, so nothing was run")
        command = module(adds("wizer.initialize", 1) +
                         '(func (export "_start") (call $add (i32.const 2)) (call $proc_exit (global.get $n)))')
        self.snapshot(command)
        self.expect(12, "--allow-precompiled", self.out, err=[])

    def test_restored_comes_first(self):
        self.snapshot(module(adds("wizer.initialize", 1) + adds("wrun_restored", 4)))
        self.assertEqual(self.value(), "14")
        self.assertEqual(self.value(), "14")
        self.snapshot(module(adds("wizer.initialize", 1) + '(func (export "wrun_restored") unreachable)'))
        self.expect(134, "--allow-precompiled", "--invoke", "value", self.out, out="", err="wrun_restored")
        os.remove(self.out)
        self.refused(module(adds("wizer.initialize", 1) + '(func (export "wrun_restored") (param i32))'),
                     err="wrun_restored must be a function without parameters")

    def test_inspect_tells_what_it_is(self):
        self.snapshot(init("(i32.store (i32.const 0) (i32.const 1))"), "--init-allow", "env", err="tainted")
        said = self.expect(0, "inspect", self.out, err=[]).out
        self.assertRegex(said, r"artifact with .* of machine code\nsnapshot: begins after wizer\.initialize, with 4096")
        self.assertIn("tainted: init could learn env\n", said)
        told = json.loads(self.expect(0, "inspect", "--json", self.out, err=[]).out)
        self.assertEqual(told["artifact"]["snapshot"],
                         {"init": "wizer.initialize", "bytes": 4096, "tainted": ["env"]})
        self.expect(0, "compile", self.path("guest.wasm"), err=[])
        self.assertNotIn("snapshot:", self.expect(0, "inspect", self.path("guest.wrun"), err=[]).out)
        self.write("bad.wrun", b"\x93wrun\r\n\x1a" + bytes(9000))
        self.expect(1, "inspect", self.path("bad.wrun"), err="bad.wrun: ")

    def test_limits_hold_for_init_and_for_instances(self):
        grows = init("(if (i32.eq (memory.grow (i32.const 15)) (i32.const -1)) (then unreachable))")
        self.refused(grows, "--max-memory", "512K", code=134, err="unreachable")
        self.snapshot(grows, "--max-memory", "1M")
        self.assertEqual(self.value("--max-memory", "1M"), "0")
        self.expect(1, "--allow-precompiled", "--max-memory", "512K", self.out, err="larger than the limit")

    def test_an_endless_init_is_stopped(self):
        self.refused(init("(loop $more (br $more))"), "--timeout", "50ms", code=124, err="stopped by --timeout")

    def test_code_is_made_as_told(self):
        for options in (["--bounds", "checked"], ["--epoch"], ["--fuel"]):
            self.snapshot(module(adds("wizer.initialize", 6)), *options)
            self.assertEqual(self.value(), "6")

    def test_of_standard_input(self):
        with open(self.wasm(module(adds("_initialize", 5))), "rb") as file:
            wasm = file.read()
        self.expect(0, "snapshot", "-", "-o", self.out, stdin=wasm, err=[])
        self.assertEqual(self.value(), "5")

    def test_a_former_file_stays_where_none_is_made(self):
        self.snapshot(module(adds("_initialize", 5)))
        self.snapshot(init("unreachable"), code=134, err="trapped")
        self.assertEqual(self.value(), "5")
        self.expect(1, "snapshot", self.wasm(module(adds("_initialize", 5))), "-o", self.path("no/folder"),
                    err="No such file")

    def test_damage_is_found_and_named(self):
        self.snapshot(init("(i32.store (i32.const 0) (i32.const 0x21212121))"))
        with open(self.out, "rb") as file:
            whole = file.read()
        at = whole.index(b"!!!!")
        self.write("bad.wrun", whole[:at] + b"?" + whole[at + 1:])
        for words in (["verify"], ["run", "--allow-precompiled"]):
            self.expect(1, *words, self.path("bad.wrun"), out="", err="damaged .*'image'")
        self.expect(0, "verify", self.out, err=[])

    def test_processes_draw_other_numbers(self):
        wat = module(adds("wizer.initialize", 1) + """(func (export "draw") (result i64 i64)
            (drop (call $random_get (i32.const 0) (i32.const 8)))
            (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 8)))
            (i64.load (i32.const 0)) (i64.load (i32.const 8)))
            (func (export "wrun_restored") (drop (call $generation (i32.const 16))))""",
                     "random_get", "clock_time_get")
        generation = '(import "wrun" "generation_id" (func $generation (param i32) (result i32)))'
        wat = wat.replace("(memory", generation + "(memory", 1)
        self.snapshot(wat, "--init-allow=clock", err="tainted")
        drawn, last = set(), 0
        for _ in range(20):
            number, time = self.run_it("--allow-tainted=clock", "--invoke", "draw", err=[]).out.split()
            drawn.add(number)
            self.assertGreaterEqual(int(time), last)
            last = int(time)
        self.assertEqual(len(drawn), 20)

    def test_wrong_usage(self):
        for words in ([], ["a"], ["-o"], ["-o", "x"], ["a", "b", "-o", "x"], ["a", "-o", "x", "--init-allow=all"],
                      ["a", "-o", "x", "--bogus"]):
            with self.subTest(words=words):
                self.expect(2, "snapshot", *words, out="", err="Try 'wrun --help'")
        self.expect(2, "--allow-tainted=everything", "a.wrun", err="none of args, env, clock, random and files")
        self.assertIn("Usage: wrun snapshot", self.expect(0, "snapshot", "--help", err=[]).out)


@unittest.skipUnless(compiler(), "no clang-16 with wasi-libc")
class Primes(CliTest):
    """A program in C whose work is done before it starts."""

    def test_primes(self):
        guest, out = self.path("primes.wasm"), self.path("primes.wrun")
        subprocess.run([compiler(), "--target=wasm32-wasi", "-O2", "-Wall", "-Werror", "-o", guest,
                        os.path.join(HERE, "snapshot.c")], check=True)
        self.expect(0, "snapshot", guest, "-o", out, out="", err=[])
        plain = self.expect(0, guest, "1000", err=[]).out.split()
        self.assertEqual(plain[:-1], "primes 168 prepared 1 restored 0".split())
        seen = set()
        for end, count in ((1000, 168), (100, 25), (1048576, 82025)) * 3:
            words = self.expect(0, "run", "--allow-precompiled", out, str(end), err=[]).out.split()
            self.assertEqual(words[:-1], f"primes {count} prepared 1 restored 1".split())
            seen.add(words[-1])
        self.assertEqual(len(seen), 9)
        self.expect(0, "run", "--allow-precompiled", "--invoke", "count", out, "1000", out="168\n", err=[])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
