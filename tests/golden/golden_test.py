#!/usr/bin/env python3
"""golden.py says what is wrong: changed code, a listing without its text, a text without its listing.
usage: golden_test.py WRUN     WRUN_WASMTIME_LIB names the library that assembles."""
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
WRUN = os.path.abspath(sys.argv[1])
WAT = '(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const %d))))'


class GoldenTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="wrun-golden-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name)) as file:
            return file.read()

    def golden(self, *words):
        environment = {key: value for key, value in os.environ.items() if key != "WRUN_BLESS"}
        environment["WRUN_GOLDEN_DIR"] = self.folder
        done = subprocess.run([os.path.join(HERE, "golden.py"), WRUN, *words], capture_output=True, text=True,
                              env=environment, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def test_blessed_is_equal_until_the_code_changes(self):
        self.write("a.wat", WAT % 5)
        self.assertEqual(self.golden("--bless")[0], 0)
        self.assertIn("5", self.read("a.x64.txt"))
        self.assertEqual(self.golden()[0], 0)
        self.write("a.wat", WAT % 77)
        code, said = self.golden()
        self.assertEqual(code, 1)
        self.assertRegex(said, r"(?m)^-.*lea.*\+ 5\]$")
        self.assertRegex(said, r"(?m)^\+.*lea.*\+ 0x4d\]$")

    def test_more_bytes_with_the_same_words_differ(self):
        self.write("a.wat", WAT % 5)
        self.golden("--bless")
        listing = self.read("a.x64.txt")
        self.assertRegex(listing, r"code   \d+ bytes")
        self.write("a.x64.txt", listing.replace(" bytes for", "0 bytes for"))
        self.assertEqual(self.golden()[0], 1)

    def test_alone(self):
        self.write("a.wat", WAT % 5)
        code, said = self.golden()
        self.assertEqual((code, "a.wat has no a.x64.txt" in said), (1, True), said)
        self.golden("--bless")
        os.remove(os.path.join(self.folder, "a.wat"))
        code, said = self.golden()
        self.assertEqual((code, "a.x64.txt has no a.wat" in said), (1, True), said)
        self.assertEqual(self.golden("--bless")[0], 0)
        self.assertEqual(os.listdir(self.folder), [])

    def test_what_cannot_be_listed_fails(self):
        self.write("a.wat", '(module (func (import "a" "b")))')
        self.write("a.x64.txt", "")
        code, said = self.golden()
        self.assertEqual((code, "defines no function" in said), (1, True), said)
        self.assertEqual(self.golden("b")[0], 1)

    def test_the_cpu_is_the_same_everywhere(self):
        for level, instruction in {"v2": "shl ", "v3": "shlx "}.items():
            self.write("a.wat", f";; objdump: --cpu {level}\n" + '(module (func (export "f") (param i32 i32) '
                       "(result i32) (i32.shl (local.get 0) (local.get 1))))")
            self.golden("--bless")
            self.assertIn(instruction, self.read("a.x64.txt"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
