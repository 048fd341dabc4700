#!/usr/bin/env python3
"""Runs wrun-spec on small scripts of its own and looks at its output and exit code: that a wrong expectation is
seen as one, for every kind of command, and that a green run is green for the right reason.
usage: wrun_spec_test.py WRUN_SPEC"""
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))

MODULE = """(module $m
  (global (export "g") i32 (i32.const 5))
  (func (export "seven") (result i32) i32.const 7)
  (func (export "same") (param f32) (result f32) local.get 0)
  (func (export "ref") (param externref) (result externref) local.get 0)
  (func (export "trap") unreachable)
  (func (export "loop") (loop (br 0)))
  (func $deep (export "deep") (call $deep)))
"""
NAN = '(assert_return (invoke "same" (f32.const nan:0x200000)) (f32.const %s))'
INVALID = '(module (func (result i32)))'
MALFORMED = '(module binary "\\00asm" "\\02\\00\\00\\00")'

# What passes as it stands, and fails once the word on the right stands in for the one before it.
ASSERTIONS = [
    ('(assert_return (invoke "seven") (i32.const 7))', "7)", "8)"),
    ('(assert_return (invoke "seven") (i32.const 7))', "i32", "i64"),
    ('(assert_return (invoke "seven") (i32.const 7))', " (i32.const 7)", ""),
    ('(assert_return (invoke $m "seven") (i32.const 7))', "$m", "$n"),
    ('(assert_return (invoke "seven") (i32.const 7))', '"seven"', '"eight"'),
    ('(assert_return (get "g") (i32.const 5))', "5", "6"),
    (NAN % "nan:0x200000", "(f32.const nan:0x200000))", "(f32.const nan:canonical))"),
    ('(assert_return (invoke "ref" (ref.extern 0)) (ref.extern 0))', "0))", "1))"),
    ('(assert_return (invoke "ref" (ref.null extern)) (ref.null extern))', "(ref.null extern))", "(ref.extern 0))"),
    ('(assert_trap (invoke "trap") "unreachable")', '"unreachable"', '"integer overflow"'),
    ('(assert_trap (invoke "trap") "unreachable")', '"trap"', '"seven"'),
    ('(assert_exhaustion (invoke "deep") "call stack exhausted")', '"deep"', '"seven"'),
    ('(assert_invalid ' + INVALID + ' "type mismatch")', INVALID, "(module)"),
    ('(assert_invalid ' + INVALID + ' "type mismatch")', INVALID, MALFORMED),
    ('(assert_malformed ' + MALFORMED + ' "unknown binary version")', '\\02', '\\01'),
    ('(assert_malformed ' + MALFORMED + ' "unknown binary version")', '\\02\\00\\00\\00',
     '\\01\\00\\00\\00\\08\\01\\00'),
    ('(assert_unlinkable (module (import "no" "where" (func))) "unknown import")', '(import "no" "where" (func))', ''),
    ('(assert_unlinkable (module (import "spectest" "print" (func (result i32)))) "incompatible import type")',
     "(result i32)", ""),
    ('(assert_trap (module (func $f unreachable) (start $f)) "unreachable")', "(start $f)", ""),
    ('(register "M" $m) (module (import "M" "g" (global i32)))', '"M" $m)', '"N" $m)'),
    ('(module (import "spectest" "memory" (memory 1 2)))', "1 2", "2 2"),
    ('(module (import "spectest" "table" (table 10 20 funcref)))', "funcref", "externref"),
    ('(module definition $d (func (export "f"))) (module instance $i $d) (assert_return (invoke $i "f"))',
     "instance $i $d", "instance $i $e"),
    ('(invoke "seven")', '"seven"', '"trap"'),
]


class WrunSpec(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.set = os.path.join(self.folder.name, "set")
        os.mkdir(self.set)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, text, name="a.wast"):
        path = os.path.join(self.set, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_words(self, *words, code):
        run = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=120)
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        return run.stdout.splitlines()

    def run_script(self, text, code, *words, known=""):
        list_path = os.path.join(self.folder.name, "known.txt")
        with open(list_path, "w", encoding="utf-8") as file:
            file.write(known)
        return self.run_words(self.write(text), "--known", list_path, *words, code=code)

    def test_every_kind_passes_and_can_fail(self):
        for line, right, wrong in ASSERTIONS:
            with self.subTest(line=line, wrong=wrong):
                counted = "1 passed" if "assert_" in line else "0 passed"
                self.assertEqual(self.run_script(MODULE + line, 0)[-1], counted + ", 0 failed, 0 skipped")
                changed = wrong.join(line.rsplit(right, 1))
                self.assertNotEqual(changed, line)
                lines = self.run_script(MODULE + changed + "\n", 1)
                self.assertRegex(lines[-1], r"^0 passed, [12] failed, 0 skipped$")
                self.assertRegex(lines[0], r"^set/a\.wast:9: \w+: ")

    def test_failed_module_fails_what_uses_it(self):
        lines = self.run_script(MODULE + INVALID + '\n(assert_return (invoke "seven") (i32.const 7))', 1)
        self.assertEqual(lines[-1], "0 passed, 2 failed, 0 skipped")

    def test_text_only_is_a_class_of_its_own(self):
        lines = self.run_script('(assert_malformed (module quote "(fnuc)") "unknown operator")', 0)
        self.assertEqual(lines[-2:], ["skipped: assert_malformed_text 1", "0 passed, 0 failed, 1 skipped"])

    def test_known_failure_is_no_news(self):
        wrong = MODULE + '(assert_return (invoke "seven") (i32.const 8))'
        lines = self.run_script(wrong, 0, known="set/a.wast:9 issue 1 why\n")
        self.assertEqual(lines[-1], "0 passed, 1 failed, 0 skipped")
        self.run_script(wrong, 1, known="set/a.wast:8 issue 1 why\n")
        self.run_script(wrong, 1, known="set/b.wast:9 issue 1 why\n")
        self.run_script(wrong, 1, known="set/a.wast:9 no issue\n")

    def test_unexpected_pass_fails(self):
        right = MODULE + '(assert_return (invoke "seven") (i32.const 7))'
        lines = self.run_script(right, 1, known="set/a.wast:9 issue 1 why\n")
        self.assertIn("set/a.wast:9: script: passes now", lines[0])
        self.assertEqual(lines[-1], "1 passed, 1 failed, 0 skipped")

    def test_endless_script_ends(self):
        lines = self.run_script(
            MODULE + '(invoke "seven")\n(invoke "loop")\n(assert_return (invoke "seven") (i32.const 7))', 1,
            "--timeout", "1")
        self.assertEqual(lines[0], "set/a.wast:10: action: the script took longer than 1 s; "
                                   "1 commands behind it did not run")
        self.assertEqual(lines[-1], "0 passed, 2 failed, 0 skipped")

    def test_unreadable_script_fails(self):
        lines = self.run_script("(module)\n(assert_retrun)", 1)
        self.assertEqual(lines[0], "set/a.wast:2:1: script: not a command")
        self.assertEqual(lines[-1], "0 passed, 1 failed, 0 skipped")
        self.run_words(os.path.join(self.set, "none.wast"), code=1)

    def test_csv_and_set_lines_count_by_kind(self):
        self.write(MODULE + '(assert_return (invoke "seven") (i32.const 7))')
        self.write('(module)\n(assert_invalid (module) "x")', "b.wast")
        path = os.path.join(self.folder.name, "counts.csv")
        lines = self.run_words("--dir", self.folder.name, "--csv", path, code=1)
        self.assertEqual(lines[-2:], ["set: 2 files, 1 passed, 1 failed, 0 skipped", "1 passed, 1 failed, 0 skipped"])
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "set,file,kind,passed,failed,skipped\nset,a.wast,module,1,0,0\n"
                             "set,a.wast,assert_return,1,0,0\nset,b.wast,module,1,0,0\n"
                             "set,b.wast,assert_invalid,0,1,0\n")

    def test_mistyped_words_are_usage_errors(self):
        self.write(MODULE)
        for words in ([], ["--sett", "x"], ["--dir", self.folder.name, "--set", "nothing"],
                      ["--dir", os.path.join(self.folder.name, "nowhere")]):
            with self.subTest(words=words):
                self.run_words(*words, code=2)


if __name__ == "__main__":
    unittest.main()
