#!/usr/bin/env python3
"""The command as users see it: its words, exit codes, messages, and the streams a guest gets.
usage: cli_test.py WRUN [TEST…]     WRUN_WASMTIME_LIB names the library that assembles the guests;
WRUN_BLESS=1 writes the golden help text anew."""
import json
import os
import pty
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

import guests
from wat import assemble

HERE = os.path.dirname(os.path.abspath(__file__))
WRUN = os.path.abspath(sys.argv[1])
BADF, NOSPC, PIPE, NOENT, ROFS, NOTCAPABLE = 8, 51, 64, 44, 69, 76


class CliTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wrun-cli-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def wasm(self, wat, name="guest.wasm"):
        return self.write(name, assemble(wat))

    def run_wrun(self, *words, stdin=b"", env=None, **more):
        environment = {key: value for key, value in os.environ.items() if key != "WRUN_LOG"}
        environment["WRUN_CACHE_DIR"] = ""
        environment.update(env or {})
        if not {"stdout", "stderr"} & set(more):
            more["capture_output"] = True
        if "stdin_file" in more:
            more["stdin"] = more.pop("stdin_file")
        elif "preexec_fn" not in more or stdin:
            more["input"] = stdin
        done = subprocess.run([WRUN, *words], env=environment, timeout=120, **more)
        done.out = (done.stdout or b"").decode(errors="replace")
        done.err = (done.stderr or b"").decode(errors="replace")
        return done

    def expect(self, code, *words, out=None, err=None, **more):
        """Runs, and compares the code, the output (exactly) and the messages (by pattern)."""
        done = self.run_wrun(*words, **more)
        self.assertEqual(done.returncode, code, f"{words}\n{done.out}\n{done.err}")
        if out is not None:
            self.assertEqual(done.out, out)
        for pattern in [err] if isinstance(err, str) else err or []:
            self.assertRegex(done.err, pattern)
        if err == []:
            self.assertEqual(done.err, "")
        return done


class Words(CliTest):
    def test_help_is_the_golden_text(self):
        golden = os.path.join(HERE, "help.txt")
        out = self.expect(0, "--help", err=[]).out
        if os.environ.get("WRUN_BLESS"):
            with open(golden, "w") as file:
                file.write(out)
        with open(golden) as file:
            self.assertEqual(out, file.read())
        for words in (["-h"], ["run", "--help"], ["--dir", ".", "-h"]):
            self.expect(0, *words, out=out)

    def test_version(self):
        self.assertRegex(self.expect(0, "--version").out, r"\Awrun \d+\.\d+\.\d+\n\Z")

    def test_wrong_usage_is_two(self):
        guest = self.wasm(guests.EMPTY)
        for words, message in {
            (): "no module given", ("run",): "no module given", ("--bogus", guest): "unknown option '--bogus'",
            ("-x", guest): "unknown option '-x'", ("--dir",): "--dir", ("--dir", "", guest): "HOST::GUEST",
            ("--dir", "::x", guest): "HOST::GUEST", ("--env", "=x", guest): "NAME=value",
            ("--max-memory", "much", guest): "no size", ("--max-memory", "-1", guest): "no size",
            ("--max-memory", "99999999999999999999", guest): "too large",
            ("--max-memory", "20000000000G", guest): "too large", ("--max-stack", "1", guest): "64K to 1G",
            ("--max-stack", "2G", guest): "64K to 1G", ("--max-table", "1G", guest): "at most",
            ("--argv0", "a", "--argv0", "b", guest): "argv0", ("validate",): "MODULE", ("inspect",): "MODULE",
            ("bench",): "no module given", ("bench", "--repeat", "0", guest): "--repeat",
            ("bench", "--repeat", "x", guest): "--repeat", ("bench", "--threads", "65", guest): "--threads",
            ("bench", "--stats", guest): "unknown option '--stats'",
            ("inspect", guest, guest): ".", ("validate", "--dir", ".", guest): "--dir",
            ("objdump",): "MODULE", ("objdump", guest, guest): ".", ("objdump", "--cpu", "v9", guest): "--cpu",
            ("objdump", "--homes", "-1", guest): "--homes", ("--bounds", "x", guest): "--bounds",
            ("objdump", "--function"): "--function",
        }.items():
            with self.subTest(words=words):
                self.expect(2, *words, out="", err=[message, "Try 'wrun --help'"])

    def test_what_follows_the_module_is_the_guests(self):
        guest = self.wasm(guests.strings("args"))
        for words in (["--help"], ["--dir", "/"], ["--", "x"], ["run", "validate"], ["-"], ["", "two words"],
                      ["--bogus=1", "-x"]):
            with self.subTest(words=words):
                for command in ([], ["run"]):
                    self.expect(0, *command, guest, *words, out="\0".join(["guest.wasm", *words, ""]), err=[])

    def test_two_dashes_end_our_options(self):
        guest = self.wasm(guests.strings("args"), "-odd.wasm")
        self.expect(0, "--", os.path.basename(guest), "--", cwd=self.folder, out="-odd.wasm\0--\0")
        self.expect(2, os.path.basename(guest), cwd=self.folder)

    def test_a_file_named_like_a_command(self):
        self.wasm(guests.strings("args"), "validate")
        self.expect(0, "run", "./validate", "x", cwd=self.folder, out="validate\0x\0")
        self.expect(0, "run", "validate", cwd=self.folder, out="validate\0")
        self.expect(2, "validate", cwd=self.folder)

    def test_argv0(self):
        self.expect(0, "--argv0", "me", self.wasm(guests.strings("args")), "x", out="me\0x\0")

    def test_bytes_of_arguments_pass_unchanged(self):
        guest = self.wasm(guests.strings("args"))
        done = subprocess.run([WRUN, guest, b"\xff\xfe", "ü"], capture_output=True, timeout=60)
        self.assertEqual(done.stdout, b"guest.wasm\0\xff\xfe\0" + "ü".encode() + b"\0")


class Loading(CliTest):
    def test_what_is_no_module(self):
        rows = {
            "empty": (b"", "this is empty"),
            "text": (b"\n  (module)", r"this is WebAssembly text; assemble it first"),
            "comment": (b";; hello\n(module)", "this is WebAssembly text"),
            "gzip": (b"\x1f\x8b\x08\0", "compressed; unpack it"),
            "elf": (b"\x7fELF\2\1\1", "program for this machine"),
            "magic": (b"\0asn\1\0\0\0", r"magic header not detected \(at byte 0\)"),
            "short": (b"\0as", r"\(at byte \d\)"),
            "version": (b"\0asm\2\0\0\0", r"unknown binary version \(at byte 4\)"),
            "component": (b"\0asm\x0d\0\1\0", "this is a component; wrun runs core modules"),
            "truncated": (assemble(guests.HELLO)[:-4], r"\(at byte \d+\)"),
        }
        for name, (content, message) in rows.items():
            path = self.write(name, content)
            with self.subTest(name):
                for words in ([path], ["validate", path]):
                    self.expect(1, *words, out="", err=re.escape(path) + ": .*" + message)

    def test_what_cannot_be_read(self):
        self.expect(1, self.path("none"), err="none: No such file or directory")
        self.expect(1, self.folder, err=": this is a directory; give the module's file")
        self.expect(1, "\x1b[31m", err=r"\\x1b\[31m: No such file")

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_what_may_not_be_read(self):
        os.chmod(self.wasm(guests.EMPTY), 0)
        self.expect(1, self.path("guest.wasm"), err="Permission denied")

    def test_what_never_ends(self):
        with subprocess.Popen([WRUN, "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            running.stdin.write(b"GET / HTTP/1.1")
            running.stdin.flush()  # and it stays open
            self.assertEqual(running.wait(timeout=60), 1)
            self.assertIn(b"magic header not detected", running.stderr.read())

    def test_standard_input_as_module(self):
        self.expect(0, "-", "x", stdin=assemble(guests.strings("args")), out="-\0x\0")
        self.expect(1, "-", err="standard input: this is empty")
        large = assemble(guests.HELLO) + b"\0" + b"\x84\x80\x80\x01" + b"\3big" + b"x" * (1 << 21)
        self.expect(0, "-", stdin=large, out="hello\n")

    def test_invalid_modules_name_the_byte(self):
        good = assemble('(module (func (export "_start") (drop (i32.const 7))))')
        bad = good.replace(b"\x41\x07\x1a", b"\x1a\x41\x07")
        path = self.write("bad.wasm", bad)
        message = rf"bad\.wasm: type mismatch \(at byte {bad.index(bytes([0x1a, 0x41]))}\)"
        self.expect(1, path, err=message)
        self.expect(1, "validate", path, err=message)

    def test_validate_checks_each(self):
        good = self.wasm(guests.HELLO)
        self.expect(0, "validate", good, good, out="", err=[])
        self.expect(1, "validate", self.path("none"), good, self.write("empty", b""), err=["none: No such", "empty: "])
        self.expect(0, "validate", good, env={"WRUN_LOG": "info"}, err="guest.wasm: valid")

    def test_missing_imports_are_all_named(self):
        guest = self.wasm("""(module (import "env" "f" (func (param i32 i64) (result f32)))
            (import "env" "m" (memory 2 3)) (import "other" "g" (global (mut i32)))
            (import "wasi_snapshot_preview1" "sched_yield" (func (result i32))))""")
        done = self.expect(1, guest, err=[r"env\.f +\(func \(param i32 i64\) \(result f32\)\)",
                                          r"env\.m +\(memory 2 3\)",
                                          r"other\.g +\(global \(mut i32\)\)", "wrun provides wasi_snapshot_preview1"])
        self.assertNotIn("sched_yield", done.err)
        self.expect(1, self.wasm('(module (import "wasi_unstable" "sock_accept" (func)))'), err="the preview before")
        self.expect(1, self.wasm('(module (import "\\1b[2J" "\\00" (func)))'), err=r"\\x1b\[2J\.\\x00")

    def test_imports_of_another_type(self):
        guest = self.wasm('(module (import "wasi_snapshot_preview1" "fd_write" (func (param i64))))')
        self.expect(1, guest, err=["fd_write", r"\(param i64\)", r"\(param i32 i32 i32 i32\)"])


class Endings(CliTest):
    def test_exit_codes(self):
        self.expect(0, self.wasm(guests.EMPTY), err=[])
        for code, seen in {0: 0, 1: 1, 42: 42, 126: 126, 134: 134, 255: 255, 256: 0, 300: 44, -1: 255}.items():
            self.expect(seen, self.wasm(guests.exits(code)), out="", err=[])

    def test_traps(self):
        for body, message in {
            "unreachable": "unreachable", "(drop (i32.div_u (i32.const 1) (i32.const 0)))": "integer divide by zero",
            "(drop (i32.load (i32.const -1)))": "out of bounds memory access",
            "(drop (i32.trunc_f32_s (f32.const nan)))": "invalid conversion to integer",
        }.items():
            guest = self.wasm(f'(module (memory 1) (func (export "_start") {body}))')
            self.expect(134, guest, out="", err=rf"wrun: {re.escape(guest)}: trap: {message}\n")

    def test_backtrace_names_functions(self):
        guest = self.wasm("""(module
            (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
            (func $innermost (param i32) (drop (i32.div_s (i32.const 1) (local.get 0))))
            (func $middle (call $innermost (i32.const 0)))
            (func $outer (export "_start") (call $middle)))""")
        with open(guest, "rb") as file:
            division = file.read().index(b"\x41\x01\x20\x00\x6d") + 4
        self.expect(134, guest, err=[rf"#0 innermost \(func 1, offset {division:#x}\)\n",
                                     r"#1 middle \(func 2, offset 0x[0-9a-f]+\)\n",
                                     r"#2 outer \(func 3, offset 0x[0-9a-f]+\)\n\Z"])

    def test_names_cannot_drive_the_terminal(self):
        guest = self.wasm('(module (func (export "_start") (export "\\1b]0;x\\07") call 1) (func unreachable))')
        done = self.expect(134, guest, err="<unnamed> ")
        self.assertNotIn("\x1b", done.err)
        guest = self.wasm('(module (func (export "\\1b[31m") unreachable))')
        self.expect(134, "--invoke", "\x1b[31m", guest, err=r"#0 \\x1b\[31m \(func 0")

    def test_stack_overflow_leaves_out_frames(self):
        guest = self.wasm('(module (func $f (export "_start") (call $f)))')
        self.expect(134, guest, err=["trap: call stack exhausted", r"#0 f", r"… \d+ frames left out …", r"#63 f"])

    def test_traps_while_instantiating(self):
        self.expect(134, self.wasm("(module (func $s unreachable) (start $s))"), err=["trap: unreachable", "#0 s "])
        segment = self.wasm('(module (memory 1) (data (i32.const 65536) "x"))')
        self.expect(134, segment, err="out of bounds memory access")
        self.expect(7, self.wasm(guests.module("(func $s (call $proc_exit (i32.const 7))) (start $s)")))

    def test_after_a_trap_what_was_written_is_there(self):
        guest = guests.HELLO.replace("(i32.const 6)))", "(i32.const 6)) unreachable)")
        self.expect(134, self.wasm(guest), out="hello\n")

    def test_modules_that_are_no_programs(self):
        self.expect(0, self.wasm("(module)"), out="", err="exports no _start, so nothing was run; .*--invoke")
        reactor = guests.HELLO.replace("_start", "_initialize")
        self.expect(0, self.wasm(reactor), out="hello\n", err="only its _initialize was run")
        self.expect(1, self.wasm('(module (func (export "_start") (param i32)))'),
                    err=r"_start' is \(func \(param i32\)\), which cannot be run")


class Invoke(CliTest):
    def test_values_of_each_type(self):
        rows = [("i32", "-1", "-1"), ("i32", "4294967295", "-1"), ("i32", "0x80000000", "-2147483648"),
                ("i32", "-2147483648", "-2147483648"), ("i64", "-9223372036854775808", "-9223372036854775808"),
                ("i64", "0xffffffffffffffff", "-1"), ("f32", "0.1", "0.1"), ("f32", "-0", "-0"), ("f32", "nan", "nan"),
                ("f64", "0.1", "0.1"), ("f64", "1e300", "1e+300"), ("f64", "-inf", "-inf"), ("f64", "0x1p-3", "0.125"),
                ("externref", "null", "null"), ("externref", "42", "externref 42"), ("funcref", "null", "null")]
        for kind, word, printed in rows:
            guest = self.wasm(f'(module (func (export "same") (param {kind}) (result {kind}) local.get 0))')
            with self.subTest(kind=kind, word=word):
                self.expect(0, "--invoke", "same", guest, word, out=printed + "\n", err=[])

    def test_words_that_are_no_values(self):
        for kind, words in {"i32": ["4294967296", "-2147483649", "1.5", "", "x", "0x", "1 ", " 1", "--1"],
                            "i64": ["18446744073709551616", "-9223372036854775809"],
                            "f32": ["", "x", "1.5x", " 1"], "f64": ["1,5"],
                            "funcref": ["1"], "externref": ["0"]}.items():
            guest = self.wasm(f'(module (func (export "f") (param {kind})))')
            for word in words:
                with self.subTest(kind=kind, word=word):
                    self.expect(2, "--invoke", "f", guest, word, out="",
                                err=rf"f is \(func \(param {kind}\)\), and '.*' is no {kind}")

    def test_several_arguments_and_results(self):
        guest = self.wasm("""(module (func (export "turn") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
            local.get 3 local.get 2 local.get 1 local.get 0))""")
        self.expect(0, "--invoke", "turn", guest, "1", "2", "3", "4", out="4\n3\n2\n1\n")
        for words in ([], ["1"], ["1", "2", "3", "4", "5"]):
            self.expect(2, "--invoke", "turn", guest, *words, err="turn is .* given")

    def test_what_cannot_be_called(self):
        guest = self.wasm('(module (memory (export "memory") 1))')
        for name in ("none", "memory"):
            self.expect(1, "--invoke", name, guest, err=f"it exports no function '{name}'")

    def test_a_reactor_is_initialised_first(self):
        guest = self.wasm("""(module (global $g (mut i32) (i32.const 1))
            (func (export "_initialize") (global.set $g (i32.const 2)))
            (func (export "get") (result i32) global.get $g))""")
        self.expect(0, "--invoke", "get", guest, out="2\n")

    def test_results_that_cannot_be_written(self):
        guest = self.wasm('(module (func (export "one") (result i32) i32.const 1))')
        with open("/dev/full", "wb") as full:
            self.expect(1, "--invoke", "one", guest, stdout=full, stderr=subprocess.PIPE,
                        err="cannot write the results: No space")
        self.expect(1, "--invoke", "one", guest, preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE,
                    err="cannot write")

    def test_the_guest_has_its_streams(self):
        guest = guests.HELLO.replace('(export "_start")', '(export "greet")')
        self.expect(0, "--invoke", "greet", self.wasm(guest), out="hello\n")


class Grants(CliTest):
    def test_nothing_is_inherited(self):
        self.expect(0, self.wasm(guests.strings("environ")), env={"SECRET": "x"}, out="")
        self.expect(0, self.wasm(guests.PREOPENS), out="")

    def test_variables(self):
        guest = self.wasm(guests.strings("environ"))
        self.expect(0, "--env", "A=1", "--env", "B=x=y", "--env", "C=", guest, out="A=1\0B=x=y\0C=\0")
        self.expect(0, "--env", "A=1", "--env", "A=2", guest, out="A=2\0")
        self.expect(0, "--env", "GIVEN", guest, env={"GIVEN": "here"}, out="GIVEN=here\0")
        self.expect(2, "--env", "WRUN_TEST_UNSET", guest, err="'WRUN_TEST_UNSET' is not set here")

    def test_variable_files(self):
        guest = self.wasm(guests.strings("environ"))
        file = self.write("vars", "# comment\n\n  A=1\nB= \"quoted\" \r\n\t# indented\nC=a=b\nGIVEN\nA=3")
        self.expect(0, "--env-file", file, guest, env={"GIVEN": "here"}, out='A=3\0B= "quoted" \0C=a=b\0GIVEN=here\0')
        self.expect(0, "--env", "C=wins", "--env-file", file, guest, env={"GIVEN": ""},
                    out='A=3\0B= "quoted" \0C=wins\0GIVEN=\0')
        self.expect(2, "--env-file", self.write("bad", "A=1\n=x\n"), guest, err="bad:2: '=x' is not NAME=value")
        self.expect(2, "--env-file", self.path("none"), guest, err="none: No such file")
        self.expect(2, "--env-file", self.folder, guest, err="Is a directory")

    def test_directories_and_their_names(self):
        guest = self.wasm(guests.PREOPENS)
        here = self.folder
        for word, name in {f"{here}::/data": "/data", f"{here}::/data:ro": "/data", here: here, f"{here}:ro": here,
                           f"{here}::a:b": "a:b", f"{here}::x:rw": "x"}.items():
            with self.subTest(word):
                self.expect(0, "--dir", word, guest, out=name + "\0")
        self.expect(0, "--dir", self.folder + "::/a", "--dir", self.folder + "::/b", guest, out="/a\0/b\0")

    def test_directories_open_files_and_nothing_else(self):
        self.write("file", "x")
        grant = ["--dir", self.folder + "::/"]
        self.expect(0, *grant, self.wasm(guests.opens("file")))
        self.expect(NOENT, *grant, self.wasm(guests.opens("none")))
        self.expect(NOTCAPABLE, *grant, self.wasm(guests.opens("../file")))
        self.expect(NOTCAPABLE, *grant, self.wasm(guests.opens("/etc/passwd")))
        self.expect(BADF, self.wasm(guests.opens("file")))
        self.expect(0, *grant, self.wasm(guests.opens("new", o_flags=1, rights=64)))
        self.assertTrue(os.path.exists(self.path("new")))

    def test_read_only_directories(self):
        self.write("file", "x")
        grant = ["--dir", self.folder + "::/:ro"]
        self.expect(0, *grant, self.wasm(guests.opens("file")))
        self.expect(ROFS, *grant, self.wasm(guests.opens("file", rights=64)))
        self.expect(ROFS, *grant, self.wasm(guests.opens("new", o_flags=1)))

    def test_directories_that_are_not_there(self):
        guest = self.wasm(guests.EMPTY)
        self.expect(1, "--dir", self.path("none") + "::/", guest,
                    err="cannot open the directory '.*none': No such file")
        self.expect(1, "--dir", guest + "::/", guest, err="Not a directory")


class Streams(CliTest):
    def test_input_and_output(self):
        data = os.urandom(300_000)
        done = self.run_wrun(self.wasm(guests.ECHO), stdin=data)
        self.assertEqual((done.returncode, done.stdout), (0, data))

    def test_output_that_cannot_be_written(self):
        guest = self.wasm(guests.HELLO)
        with open("/dev/full", "wb") as full:
            self.expect(NOSPC, guest, stdout=full)
        read_end, write_end = os.pipe()
        os.close(read_end)
        with os.fdopen(write_end, "wb", closefd=True) as broken:
            self.expect(PIPE, guest, stdout=broken)

    def test_streams_that_are_closed(self):
        echo, hello = self.wasm(guests.ECHO, "echo.wasm"), self.wasm(guests.HELLO)
        self.expect(BADF, hello, preexec_fn=lambda: os.close(1), stderr=subprocess.PIPE)
        self.expect(BADF, echo, preexec_fn=lambda: os.close(0))
        self.expect(0, self.wasm(guests.EMPTY), preexec_fn=lambda: os.closerange(0, 3), stdout=None, stderr=None)

    def test_no_file_of_ours_becomes_a_closed_stream(self):
        """Descriptors 0–2 are free, so whatever is opened next would get them: the guest must not reach it."""
        for fd in (0, 1, 2):
            guest = guests.HELLO.replace("(call $fd_write (i32.const 1)", f"(call $fd_write (i32.const {fd})")
            self.expect(BADF, "--dir", self.folder + "::/", self.wasm(guest),
                        preexec_fn=lambda: os.closerange(0, 3), stdout=None, stderr=None)

    def test_a_directory_as_input_grants_nothing(self):
        self.write("file", "x")
        directory = os.open(self.folder, os.O_RDONLY)
        self.addCleanup(os.close, directory)
        self.expect(NOTCAPABLE, self.wasm(guests.opens("file", fd=0)), stdin_file=directory)


def compiler():
    return shutil.which("clang-16") if os.path.isdir("/usr/include/wasm32-wasi") else None


@unittest.skipUnless(compiler(), "no clang-16 with wasi-libc")
class LibC(CliTest):
    """A program in C: what its library makes of our answers."""

    def test_files(self):
        guest = self.path("files.wasm")
        subprocess.run([compiler(), "--target=wasm32-wasi", "-O1", "-Wall", "-Werror", "-o", guest,
                        os.path.join(HERE, "files.c")], check=True)
        os.mkdir(self.path("work"))
        grant = self.path("work") + "::/data"
        self.expect(0, "--dir", grant, "--env", "NAME=value", guest, "one", stdin=b"line\n", out="done\n", err=[])
        self.assertEqual(os.listdir(self.path("work")), [])


class Limits(CliTest):
    def test_memory(self):
        self.expect(0, "--max-memory", "1M", self.wasm(guests.grows(15)))
        self.expect(1, "--max-memory", "1M", self.wasm(guests.grows(16)), err=[])
        self.expect(0, "--max-memory", str(17 * 65536), self.wasm(guests.grows(16)))
        self.expect(0, "--max-memory", "1024KiB", self.wasm(guests.grows(15)))
        self.expect(1, "--max-memory", "64K", self.wasm("(module (memory 2))"), err="memory is larger than the limit")

    def test_bounds_are_kept_either_way(self):
        load = self.wasm("""(module (memory 1) (func (export "load") (param i32) (result i32)
            (i32.load8_u (local.get 0))))""")
        for bounds in "guard", "checked":
            with self.subTest(bounds=bounds):
                words = "--bounds", bounds, "--invoke", "load", load
                self.expect(0, *words, "65535", out="0\n")
                self.expect(134, *words, "65536", err="out of bounds memory access")
                self.expect(0, "bench", "--repeat", "1", *words, "65535", err=[])

    def test_tables(self):
        grow = """(module (table 1 funcref)
            (func (export "grow") (result i32) (table.grow (ref.null func) (i32.const 9))))"""
        self.expect(0, "--max-table", "10", "--invoke", "grow", self.wasm(grow), out="1\n")
        self.expect(0, "--max-table", "9", "--invoke", "grow", self.wasm(grow), out="-1\n")
        self.expect(1, "--max-table", "9", self.wasm("(module (table 10 funcref))"),
                    err="table is larger than the limit")

    def test_stack(self):
        guest = self.wasm("""(module (func $down (export "down") (param i32) (result i32)
            (if (result i32) (local.get 0)
                (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                (else (i32.const 0)))))""")
        self.expect(134, "--max-stack", "64K", "--invoke", "down", guest, "10000", err="call stack exhausted")
        self.expect(0, "--max-stack", "64M", "--invoke", "down", guest, "10000", out="10000\n")

    def test_too_little_address_space(self):
        with open(WRUN, "rb") as file:
            if b"__asan_init" in file.read():
                self.skipTest("the sanitizer itself needs more")
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
        self.expect(1, self.wasm(guests.HELLO), preexec_fn=limit, err=r"address space .*ulimit -v")
        self.expect(0, self.wasm(guests.EMPTY), preexec_fn=limit)


class Timeout(CliTest):
    LOOP = '(module (func $spin (export "_start") (loop $l (br $l))))'
    READ = guests.module("""(func (export "_start")
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 9))
        (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16))))""", "fd_read")

    def test_stops_what_does_not_end(self):
        guest = self.wasm(self.LOOP)
        self.expect(124, "--timeout", "50ms", guest, out="",
                    err=[r"guest.wasm: stopped by --timeout: deadline exceeded", r"#0 spin \(func 0, offset 0x"])
        self.expect(124, "--timeout", "0s", guest)
        start = self.wasm('(module (start 0) (func (loop $l (br $l))) (func (export "_start")))')
        self.expect(124, "--timeout", "20ms", start, out="", err="stopped by --timeout")
        invoked = self.wasm('(module (func (export "f") (loop $l (br $l))))')
        self.expect(124, "--timeout", "20ms", "--invoke", "f", invoked)

    def test_stops_what_asks_in_its_code(self):
        guest = self.wasm(self.LOOP)
        self.expect(124, "--epoch", "--timeout", "50ms", guest, out="", err="stopped by --timeout")
        self.expect(3, "--epoch", "--timeout", "1h", self.wasm(guests.exits(3)), err=[])

    def test_fuel_is_counted(self):
        guest = self.wasm(self.LOOP)
        first = self.expect(134, "--fuel", "1000", guest, out="", err=r"trap: out of fuel(.|\n)*#0 spin")
        self.assertEqual(self.expect(134, "--fuel", "1000", guest).err, first.err)
        self.expect(134, "--fuel", "0", guest, err="out of fuel")
        self.expect(3, "--fuel", "1M", self.wasm(guests.exits(3)), err=[])
        self.expect(2, "--fuel", "-1", guest, err="no size")

    def test_stops_what_waits(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        with os.fdopen(reader) as pipe:
            self.expect(124, "--timeout", "50ms", self.wasm(self.READ), stdin_file=pipe, err="stopped by --timeout")

    def test_leaves_the_others_alone(self):
        for time in ["1h", "1.5m", "100s", "0.5h", "90000ms", ".5m"]:
            self.expect(3, "--timeout", time, self.wasm(guests.exits(3)), err=[])

    def test_times_that_are_none(self):
        for time in ["", "s", "1", "-1s", "1.2.3s", "1e3s", "1 s", "5sec", "99999999999h", "nan", "."]:
            with self.subTest(time=time):
                self.expect(2, "--timeout", time, self.wasm(guests.EMPTY), err="--timeout wants a time")


class Reports(CliTest):
    def test_stats(self):
        done = self.expect(3, "--stats", self.wasm(guests.exits(3)), out="")
        for phase in ("start", "read", "prepare", "decode", "compile", "link", "publish", "instantiate", "run",
                      "total"):
            self.assertRegex(done.err, rf"(?m)^  {phase} +\d+\.\d+ ms")
        for figure in (r"\d+ B\n", r"MB/s", r"machine code", r"trap table", r"thread"):
            self.assertRegex(done.err, figure)

    def test_log_levels(self):
        guest = self.wasm("(module)")
        self.expect(0, guest, env={"WRUN_LOG": "error"}, err=[])
        self.expect(0, guest, env={"WRUN_LOG": "warn"}, err="wrun: warning: ")
        self.expect(0, guest, env={"WRUN_LOG": "loud"}, err="WRUN_LOG is 'loud'; it may be error, warn, info or debug")
        exits = self.wasm(guests.exits(300), "exits.wasm")
        self.expect(44, exits, env={"WRUN_LOG": "info"},
                    err=["compiled 1 functions", r"proc_exit\(300\) becomes exit code 44"])
        done = self.expect(44, "--dir", self.folder + "::/d:ro", "--env", "A=secret", exits, env={"WRUN_LOG": "debug"},
                           err=["as '/d', read-only", "the variable A"])
        self.assertNotIn("secret", done.err)
        self.expect(0, guest, env={"WRUN_LOG": ""}, err="wrun: warning: .*exports no _start")

    def test_inspect_for_people(self):
        done = self.expect(0, "inspect", self.wasm(guests.HELLO), err=[])
        for line in (r"guest\.wasm: \d+ B", r"  import +\d+ B",
                     r"wasi_snapshot_preview1\.fd_write \(func \(param i32 i32 i32 i32\) \(result i32\)\)",
                     r"  memory \(memory 1\)", r"functions 3 defined, 2 imported", "features needed: none"):
            self.assertRegex(done.out, line)

    def test_inspect_for_programs(self):
        guest = self.wasm("""(module (import "a" "b\\n" (func (param i32))) (memory 1 5) (table 3 externref)
            (func (export "\\u{2713}\\"") (result i64) (i64.extend8_s (i64.const 1)))
            (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))""")
        for words in (["--json", guest], [guest, "--json"]):
            seen = json.loads(self.expect(0, "inspect", *words).out)
        self.assertEqual(seen["file"], guest)
        self.assertEqual(seen["bytes"], os.path.getsize(guest))
        self.assertEqual(seen["imports"],
                         [{"module": "a", "name": "b\n", "kind": "func", "type": "(func (param i32))"}])
        self.assertEqual(seen["exports"], [{"name": '✓"', "kind": "func", "type": "(func (result i64))"}])
        self.assertEqual(seen["memories"], [{"min_pages": 1, "max_pages": 5, "imported": False}])
        self.assertEqual(seen["functions"], 2)
        self.assertLessEqual({"sign-extension", "bulk-memory", "reference-types"}, set(seen["features"]))
        self.assertTrue(seen["runnable"])
        self.assertIn("code", [section["name"] for section in seen["sections"]])

    def test_inspect_says_what_cannot_be_run(self):
        guest = self.wasm("(module (func (result i32) (i32x4.extract_lane 0 (v128.const i32x4 1 2 3 4))))")
        seen = json.loads(self.expect(0, "inspect", "--json", guest).out)
        if not seen["runnable"]:
            self.assertIn("simd", seen["features"])
            self.assertIn("simd", seen["problem"])
            self.expect(1, guest, err="unsupported: simd")
        tag = self.wasm('(module (tag (param i32)) (func (export "f")) (@custom "mine" "x"))', "tag.wasm")
        seen = json.loads(self.expect(0, "inspect", "--json", tag).out)
        self.assertLessEqual({"tag", "code", "custom"}, {section["name"] for section in seen["sections"]})
        if not seen["runnable"]:
            self.assertIn("exceptions", seen["problem"])
            self.assertNotIn("functions 0", self.expect(0, "inspect", tag, err=[]).out)
            self.assertNotIn("functions", seen)
        self.expect(1, "inspect", self.write("bad", b"\0asm\1\0\0\0\x0b"), err=r"bad: .*\(at byte \d+\)")


class Progress(CliTest):
    """Of a module of some megabytes, on a terminal of our own."""

    def shown(self, *words, env=None, module=None):
        """What is written to the terminal that is standard error."""
        main, terminal = pty.openpty()
        self.addCleanup(os.close, main)
        done = self.run_wrun(*words, module or self.large(), env={"TERM": "xterm", **(env or {})},
                             stdout=subprocess.PIPE, stderr=terminal)
        os.close(terminal)
        self.assertEqual(done.returncode, 0)
        os.set_blocking(main, False)
        try:
            return os.read(main, 1 << 20).decode()
        except OSError:  # nothing came
            return ""

    def large(self):
        """A valid module: so many functions with a body of zeros dropped."""
        def leb(number):
            out = bytearray()
            while True:
                out.append(number & 127 | (128 if number > 127 else 0))
                number >>= 7
                if not number:
                    return bytes(out)

        def section(number, content):
            return bytes([number]) + leb(len(content)) + content

        count, code = 400, b"\0" + b"\x41\0\x1a" * 3000 + b"\x0b"
        body = leb(len(code)) + code
        return self.write("large.wasm", b"\0asm\1\0\0\0" + section(1, b"\1\x60\0\0") +
                          section(3, leb(count) + b"\0" * count) + section(7, b"\1\6_start\0\0") +
                          section(10, leb(count) + body * count))

    def test_it_is_shown_and_gone_again(self):
        text = self.shown(env={"WRUN_PROGRESS": "0"})
        self.assertRegex(text, r"^\r\x1b\[Kwrun: compiling \S*large\.wasm … \d+ %")
        self.assertTrue(text.endswith("%\r\x1b[K"), text)

    def test_not_where_nobody_waits_or_looks(self):
        self.assertEqual(self.shown(env={"WRUN_PROGRESS": "never"}), "")
        self.assertEqual(self.shown(env={"WRUN_PROGRESS": "600000"}), "")
        self.assertEqual(self.shown(env={"WRUN_PROGRESS": "0", "TERM": "dumb"}), "")
        self.assertEqual(self.shown(env={"WRUN_PROGRESS": "0", "WRUN_LOG": "error"}), "")
        self.assertEqual(self.shown(env={"WRUN_PROGRESS": "0"}, module=self.wasm(guests.EMPTY)), "")
        self.expect(0, self.large(), env={"WRUN_PROGRESS": "0", "TERM": "xterm"}, err=[])
        self.assertIn("it may be a number", self.shown(env={"WRUN_PROGRESS": "soon"}))


class Objdump(CliTest):
    MODULE = """(module (import "env" "log" (func (param i32))) (memory 1) (data "x")
        (func $sum (export "add") (param i32 i32) (result i32) (i32.add (i32.load (local.get 0)) (local.get 1)))
        (func (export "main") (result i32)
            (call 0 (i32.const 1))
            (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1))
            (drop (i32.div_u (i32.const 1) (call 1 (i32.const 2) (i32.const 3))))
            (return (i32.const 7)) (drop (i32.const 8))))"""

    def setUp(self):
        super().setUp()
        if "no disassembler" in self.run_wrun("objdump", self.wasm("(module (func))")).err:
            self.skipTest("linked statically: without a disassembler")

    def test_every_function(self):
        out = self.expect(0, "objdump", self.wasm(self.MODULE), err=[]).out
        for line in (r'^func 1 "sum" \(func \(param i32 i32\) \(result i32\)\)$', r"^  homes  r\w+ = local \d, ",
                     r"^  frame  \d+ bytes$", r"^  code   \d+ bytes for a body of \d+$",
                     r"^  traps  1 x out of bounds memory access$", r"; traps: out of bounds memory access$",
                     r'^  calls  func 0 "log", helper memory_init, func 1 "sum"$', r'call +func 1 "sum"$',
                     r"; helper memory_init$", r"^[0-9a-f]{4} +i32\.div_u +[0-9a-f]{4} +mov ",
                     r"; traps: integer divide by zero$",
                     r"^[0-9a-f]{4} +i32\.const 8 +\(dead\)$"):
            self.assertRegex(out, "(?m)" + line)
        self.assertEqual(out.count("(prologue)"), 2)

    def test_one_function(self):
        guest = self.wasm(self.MODULE)
        for word in ("1", "sum", "add"):
            out = self.expect(0, "objdump", "--function", word, guest, err=[]).out
            self.assertEqual((out.count("(prologue)"), out[:10]), (1, 'func 1 "su'))
        out = self.expect(0, "objdump", "--function", "main", "--function=1", guest).out
        self.assertLess(out.index('func 2 "main"'), out.index('func 1 "sum" ('))

    def test_what_cannot_be_shown(self):
        guest = self.wasm(self.MODULE)
        for word, message in {"nobody": "no function named 'nobody'", "3": "no function 3: the module has 3",
                              "99999999999999999999": "no function named",
                              "0": r'function 0 "?log"? is imported', "-1": "no function named '-1'"}.items():
            self.expect(1, "objdump", f"--function={word}", guest, out="", err=message)
        self.expect(1, "objdump", self.wasm("(module)", "none.wasm"), out="", err="none.wasm: .*defines no function")
        self.expect(1, "objdump", self.path("absent"), out="", err="absent: No such file")
        self.expect(1, "objdump", self.write("bad", assemble("(module (func))")[:-2] + b"\x01\x0b"), err="bad: ")
        invalid = assemble("(module (func (result i32) (i32.const 1)))").replace(b"\x41\x01", b"\x01\x01")
        self.expect(1, "objdump", self.write("invalid", invalid), out="", err=r"invalid: type mismatch.*\(at byte")

    def test_cpu_and_homes(self):
        guest = self.wasm("(module (func (param i32 i32) (result i32) (i32.shl (local.get 0) (local.get 1))))")
        self.assertIn("shlx", self.expect(0, "objdump", "--cpu", "v3", guest).out)
        self.assertNotIn("shlx", self.expect(0, "objdump", "--cpu", "v2", guest).out)
        self.assertIn("homes  none", self.expect(0, "objdump", "--homes", "0", guest).out)

    def test_bytes_and_plain(self):
        guest = self.wasm("(module (func (result i32) (i32.const 7)))")
        self.assertRegex(self.expect(0, "objdump", "--bytes", guest).out, r" 0000 +55 +push +rbp\n")
        with open(guest, "rb") as file:
            out = self.expect(0, "objdump", "--plain", "-", stdin=file.read()).out
        self.assertRegex(out, r"(?m)^  end +mov +eax, 7$")

    def test_names_cannot_drive_the_terminal(self):
        guest = self.wasm('(module (import "m" "\\1b[31m" (func)) (func (export "\\07x") (call 0)))')
        out = self.expect(0, "objdump", guest).out
        self.assertTrue(out.replace("\n", " ").isprintable(), out)

    def test_a_closed_pipe_is_no_crash(self):
        with open("/dev/full", "w") as full:
            self.expect(1, "objdump", self.wasm(self.MODULE), stdout=full, stderr=subprocess.PIPE, err="cannot write")


class Bench(CliTest):
    PHASES = ["validate", "decode", "compile", "link", "publish", "load", "instantiate", "run"]

    def measure(self, *words, **more):
        done = self.expect(0, "bench", "--json", *words, **more)
        self.assertEqual(done.out.count("\n"), 1)
        return json.loads(done.out)

    def test_for_people(self):
        done = self.expect(0, "bench", "--repeat", "2", self.wasm(guests.exits(3)), err=[])
        self.assertRegex(done.out, r"\A.*guest\.wasm: \d+ B, 1 functions, 2 repetitions\n")
        for phase in self.PHASES:
            self.assertRegex(done.out, rf"(?m)^  +{phase} +\d+\.\d+ +\d+\.\d+ +\d+\.\d+ ")
        for figure in ("MB/s", "machine code", "threads: 1", "exit code 3"):
            self.assertIn(figure, done.out)

    def test_for_programs(self):
        guest = self.wasm("""(module (memory 1) (func (export "f") (param i32) (result i32 i64)
            (i32.load (local.get 0)) (i64.const -2)) (func))""")
        seen = self.measure("--repeat", "3", "--threads", "1", "--invoke", "f", guest, "8", err=[])
        self.assertEqual(list(seen["phases"])[:6], self.PHASES[:6])
        for name in self.PHASES:
            phase = seen["phases"][name]
            with self.subTest(name):
                self.assertEqual(len(phase["wall_ns"]), 3)
                self.assertEqual(phase["min_ns"], min(phase["wall_ns"]))
                self.assertEqual(phase["median_ns"], sorted(phase["wall_ns"])[1])
                self.assertEqual(len(phase.get("cpu_ns", [])),
                                 3 if name in ("validate", "load", "instantiate", "run") else 0)
        load = seen["phases"]["load"]["wall_ns"]
        parts = [seen["phases"][name]["wall_ns"] for name in ("decode", "compile", "link", "publish")]
        for whole, *inside in zip(load, *parts):
            self.assertGreaterEqual(whole, sum(inside))
        self.assertEqual((seen["file"], seen["repeat"], seen["threads"]), (guest, 3, 1))
        self.assertEqual((seen["bytes"], seen["functions"]), (os.path.getsize(guest), 2))
        self.assertGreater(seen["machine_code_bytes"], 8)
        self.assertEqual((seen["results"], seen["exit_code"]), (["0", "-2"], 0))

    def test_the_median_of_an_even_number(self):
        phase = self.measure("--repeat", "4", self.wasm(guests.EMPTY))["phases"]["load"]
        middle = sorted(phase["wall_ns"])[1:3]
        self.assertEqual(phase["median_ns"], middle[0] + (middle[1] - middle[0]) // 2)

    def test_compiling_alone(self):
        unknown = self.wasm('(module (import "no" "where" (func)) (func (export "_start") unreachable))')
        seen = self.measure("--compile-only", unknown, err=[])
        self.assertEqual(sorted(seen["phases"]), sorted(self.PHASES[:6]))
        self.assertNotIn("exit_code", seen)
        self.assertNotIn("instantiate", self.expect(0, "bench", "--compile-only", unknown).out)

    def test_every_repetition_gets_the_same_input_and_its_output_is_kept_once(self):
        guest, kept = self.wasm(guests.ECHO), self.path("kept")
        data = os.urandom(200_000)
        for how in ("pipe", "file"):
            with self.subTest(how), open(self.write("in", data), "rb") as file:
                more = {"stdin": data} if how == "pipe" else {"stdin_file": file}
                seen = self.measure("--repeat", "3", "--output", kept, guest, **more)
                self.assertEqual(seen["exit_code"], 0)
                with open(kept, "rb") as output:
                    self.assertEqual(output.read(), data)
        self.assertEqual(self.measure(self.wasm(guests.HELLO))["exit_code"], 0)

    def test_every_repetition_starts_anew(self):
        """Counters in memory and in a global: each run finds them at zero."""
        guest = self.wasm("""(module (memory 1) (global $g (mut i32) (i32.const 0))
            (func (export "f") (result i32)
                (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
                (global.set $g (i32.add (global.get $g) (i32.const 1)))
                (i32.add (i32.load (i32.const 0)) (global.get $g))))""")
        self.assertEqual(self.measure("--repeat", "3", "--invoke", "f", guest)["results"], ["2"])

    def test_grants_and_arguments(self):
        kept = self.path("kept")
        self.measure("--output", kept, self.wasm(guests.strings("args")), "--json", "x")
        with open(kept) as file:
            self.assertEqual(file.read(), "guest.wasm\0--json\0x\0")
        self.measure("--env", "A=1", "--output", kept, self.wasm(guests.strings("environ")))
        with open(kept) as file:
            self.assertEqual(file.read(), "A=1\0")

    def test_what_cannot_be_measured(self):
        traps = self.wasm('(module (func (export "_start") unreachable))')
        self.expect(134, "bench", traps, out="", err="trap: unreachable")
        self.expect(1, "bench", self.wasm("(module)"), out="", err="exports no _start; .*--invoke NAME.*--compile-only")
        self.expect(1, "bench", self.wasm('(module (import "a" "b" (func)) (func (export "_start")))'), out="",
                    err=r"an import is missing:\n  a\.b")
        self.expect(1, "bench", self.write("bad", b"\0asm\1\0\0\0\x0b"), out="", err=r"bad: .*\(at byte \d+\)")
        self.expect(1, "bench", self.path("none"), out="", err="none: No such file")
        guest = self.wasm(guests.EMPTY)
        self.expect(1, "bench", "--output", self.path("no/where"), guest, out="", err="no/where: No such file")
        self.expect(2, "bench", "--invoke", "_start", guest, "7", out="", err="but 1 argument was given")
        self.expect(1, "bench", "--dir", self.path("none"), guest, out="", err="cannot open the directory")
        with open("/dev/full", "wb") as full:
            self.expect(1, "bench", guest, stdout=full, stderr=subprocess.PIPE, err="cannot write the report: No space")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
