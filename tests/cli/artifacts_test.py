#!/usr/bin/env python3
"""`wrun compile`, `wrun verify`, and running what they are about.
usage: artifacts_test.py WRUN [TEST…]     WRUN_WASMTIME_LIB names the library that assembles the guests."""
import os
import sys
import unittest

import guests
from cli_test import CliTest


class Artifacts(CliTest):
    def compiled(self, wat=guests.strings("args"), *options):
        self.expect(0, "compile", *options, self.wasm(wat), out="", err=[])
        return self.path("guest.wrun")

    def test_runs_when_it_is_allowed(self):
        artifact = self.compiled()
        self.expect(0, "run", "--allow-precompiled", artifact, "x", out="guest.wrun\0x\0", err=[])
        self.expect(0, "--allow-precompiled", self.path("guest.wasm"), "x", out="guest.wasm\0x\0", err=[])

    def test_is_refused_with_the_remedy(self):
        artifact = self.compiled()
        for words in (["run"], []):
            self.expect(1, *words, artifact, out="", err=["machine code", "--allow-precompiled", "WebAssembly file"])

    def test_output_goes_where_it_is_told(self):
        guest = self.wasm(guests.EMPTY)
        self.expect(0, "compile", guest, "-o", self.path("other"), err=[])
        self.expect(0, "--allow-precompiled", self.path("other"), err=[])
        self.expect(1, "compile", guest, "-o", self.path("no/folder"), err="No such file")
        self.expect(1, "compile", guest, "-o", self.folder, err="Is a directory")
        self.assertEqual(sorted(os.listdir(self.folder)), ["guest.wasm", "other"])

    def test_of_standard_input(self):
        with open(self.wasm(guests.EMPTY), "rb") as file:
            wasm = file.read()
        self.expect(2, "compile", "-", stdin=wasm, err="-o FILE")
        self.expect(0, "compile", "-", "-o", self.path("out.wrun"), stdin=wasm, err=[])
        self.expect(0, "verify", self.path("out.wrun"), err=[])

    def test_replaces_a_file_that_is_in_use_as_a_whole(self):
        artifact = self.compiled()
        with open(artifact, "rb") as former:
            before = former.read()
            self.compiled(guests.exits(7))
            former.seek(0)
            self.assertEqual(former.read(), before)
        self.expect(7, "--allow-precompiled", artifact)

    def test_what_cannot_be_compiled_leaves_nothing(self):
        self.write("bad.wasm", b"\0asm\1\0\0\0\7")
        self.expect(1, "compile", self.path("bad.wasm"), err="bad.wasm: ")
        self.assertEqual(os.listdir(self.folder), ["bad.wasm"])

    def test_checked_bounds_are_the_artifacts(self):
        artifact = self.compiled(guests.EMPTY, "--bounds", "checked")
        self.expect(0, "--allow-precompiled", artifact, err=[])

    LOOP = '(module (func (export "_start") (loop $l (br $l))))'

    def test_are_stopped_in_time(self):
        for options in ([], ["--epoch"]):
            artifact = self.compiled(self.LOOP, *options)
            self.expect(124, "--timeout", "30ms", *options, "--allow-precompiled", artifact, out="",
                        err=r"guest\.wrun: stopped by --timeout")

    def test_pay_for_what_they_do(self):
        artifact = self.compiled(self.LOOP, "--fuel")
        self.expect(134, "--fuel", "1000", "--allow-precompiled", artifact, err="out of fuel")
        self.expect(124, "--timeout", "30ms", "--allow-precompiled", artifact)

    def test_do_what_they_are_asked_for_or_do_not_run(self):
        for compiled_with, asked in ((["--epoch"], ["--epoch"]), (["--fuel"], ["--fuel", "1M"]),
                                     (["--bounds", "checked"], ["--bounds", "checked"])):
            with self.subTest(asked=asked):
                artifact = self.compiled()
                self.expect(1, *asked, "--allow-precompiled", artifact, out="",
                            err=r"guest\.wrun: .*compiled without an option that is asked for")
                artifact = self.compiled(guests.strings("args"), *compiled_with)
                for options in (asked, []):
                    self.expect(0, *options, "--allow-precompiled", artifact, out="guest.wrun\0", err=[])

    def test_traps_are_told_by_name(self):
        artifact = self.compiled('(module (func $inner unreachable) (func (export "_start") (call $inner)))')
        wanted = self.expect(134, self.path("guest.wasm")).err.replace("guest.wasm", "guest.wrun")
        self.assertIn("inner", wanted)
        self.assertEqual(self.expect(134, "--allow-precompiled", artifact).err, wanted)

    def test_damage_is_found(self):
        artifact = self.compiled()
        with open(artifact, "rb") as file:
            whole = file.read()
        # The last bytes that are not zero are code.
        code = len(whole.rstrip(b"\0")) - 1
        for at in (5, 40, 100, 4100, len(whole) // 2 // 4096 * 4096, code):
            self.write("bad.wrun", whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
            for words in (["verify"], ["run", "--allow-precompiled"]):
                with self.subTest(at=at, words=words):
                    self.expect(1, *words, self.path("bad.wrun"), err=r"bad\.wrun: .*(artifact|magic)")
        for size in (0, 4, 512, 4096, len(whole) - 512):
            with self.subTest(size=size):
                self.expect(1, "verify", self.write("bad.wrun", whole[:size]), err="damaged or incomplete")
        self.expect(1, "verify", artifact, self.path("absent"), self.path("bad.wrun"), err=["absent", "bad"])
        self.expect(1, "verify", self.path("guest.wasm"), err=r"guest\.wasm: ")

    def test_wrong_usage(self):
        for words in (["compile"], ["compile", "a", "b"], ["verify"], ["verify", "--bogus"], ["compile", "-o"]):
            with self.subTest(words=words):
                self.expect(2, *words, out="", err="Try 'wrun --help'")
        for words in (["compile", "--help"], ["verify", "--help"]):
            self.assertIn("Usage: wrun " + words[0], self.expect(0, *words, err=[]).out)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
