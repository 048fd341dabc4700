#!/usr/bin/env python3
"""Shows each rule of tidy.py failing on a bad sample at the right line, and a good tree passing."""
import os
import tempfile
import unittest

import tidy

GOOD = {
    "base/CMakeLists.txt": "# Base.\nwrun_library(base DEPENDS)\n",
    "decoder/CMakeLists.txt": "# Decoder.\nwrun_library(decoder DEPENDS base)\n",
    "runtime/CMakeLists.txt": "# Runtime.\nwrun_library(runtime DEPENDS decoder base)\n",
    "codegen/CMakeLists.txt": "# Codegen.\nwrun_library(codegen DEPENDS runtime base LIBS asmjit::asmjit)\n",
    "cli/CMakeLists.txt": "# Command.\ntarget_link_libraries(wrun_cli PRIVATE wrun_runtime CLI11::CLI11)\n",
    "base/result.hpp": "// Values or errors.\n// Owns nothing.\n",
    "base/os_linux.cpp": "// The system.\n#include <sys/mman.h>\n",
    "decoder/reader.cpp": '// Reads; never calls throw.\n#include <span>\n#include "base/result.hpp"\n',
    "runtime/abi.hpp": "// What generated code assumes.\n// Pinned by assertions.\n",
    "runtime/slots.hpp": "// Slots.\n// Private to the runtime.\n",
    "codegen/emit.cpp": '// Emits.\n#include <asmjit/x86.h>\n#include "runtime/abi.hpp"\n// try { throw } "\n'
                        'const char* text = "throw catch (";\n',
    "cli/main.cpp": "// The command.\n#include <CLI/CLI.hpp>\nint main() try {} catch (...) {}\n",
    "tests/codegen/emit_test.cpp": "// Tests.\n#include <asmjit/x86.h>\n#include <gtest/gtest.h>\n",
    "docs/architecture.md": "# Architecture\n## Index of folders\n[up](#index-of-folders), [license](../LICENSE)\n"
                            "| `base/` | words | nothing |\n| `decoder/` | bytes | base |\n"
                            "| `runtime/` | ground | base, decoder |\n"
                            "| `codegen/` | code | runtime, base |\n| `cli/` | command | runtime |\n",
    "LICENSE": "\tTerms\n",
    "tools/run": "#!/bin/sh\n# Runs.\n",
}

# name of the case: (file, its text, line of the violation, rule, a part of the message)
BAD = {
    "arrow upwards": ("base/a.cpp", '// A.\n#include "decoder/reader.cpp"\n', 2, "include", "from base/ to decoder/"),
    "arrow upwards in a table": ("base/a.def", '// A.\n#include "runtime/abi.hpp"\n', 2, "include", "no arrow"),
    "arrow from the command": ("cli/a.cpp", '// A.\n#include "decoder/reader.cpp"\n', 2, "include", "no arrow"),
    "arrow wider than agreed": ("codegen/a.cpp", '// A.\n\n#include "runtime/slots.hpp"\n', 3, "include", "sees"),
    "include by short name": ("base/a.cpp", '// A.\n#include "result.hpp"\n', 2, "include", "from the root"),
    "include by relative name": ("base/a.cpp", '// A.\n#include "../base/result.hpp"\n', 2, "include", "from the root"),
    "include of nothing": ("base/a.cpp", '// A.\n#include "base/none.hpp"\n', 2, "include", "does not exist"),
    "asmjit outside codegen": ("runtime/a.cpp", "// A.\n#include <asmjit/core.h>\n", 2, "include", "belongs to"),
    "asmjit in other tests": ("tests/base/a.cpp", "// A.\n#include <asmjit/core.h>\n", 2, "include", "belongs to"),
    "xbyak in the product": ("codegen/a.cpp", "// A.\n#include <xbyak/xbyak.h>\n", 2, "include", "belongs to"),
    "mimalloc in a library": ("base/a.cpp", "// A.\n#include <mimalloc.h>\n", 2, "include", "belongs to"),
    "system call in a pure folder": ("decoder/a.cpp", "// A.\n#  include <sys/mman.h>\n", 2, "include", "the system"),
    "system call in base": ("base/a.cpp", "// A.\n#include <unistd.h>\n", 2, "include", "the system"),
    "throw": ("base/a.cpp", "// A.\n/* no\n */ void f() { throw 1; }\n", 3, "exceptions", "throw"),
    "try": ("base/a.cpp", "// A.\nvoid f() { try { g(); } }\n", 2, "exceptions", "try"),
    "catch": ("base/a.cpp", "// A.\nint n = 1'000;\ncatch (...) {}\n", 3, "exceptions", "catch"),
    "dynamic_cast": ("base/a.hpp", "// A.\n// B.\nauto* b = dynamic_cast<B*>(a);\n", 3, "exceptions", "dynamic_cast"),
    "typeid": ("base/a.cpp", "// A.\nauto& t = typeid(a);\n", 2, "exceptions", "typeid"),
    "source without opening": ("base/a.cpp", "int a;\n", 1, "opening", "without a comment"),
    "table without opening": ("base/a.def", "ROW(a)\n", 1, "opening", "without a comment"),
    "header with one line": ("base/a.hpp", "// A.\n#pragma once\n" + "int a;\n" * 39, 1, "opening", "two lines"),
    "script without opening": ("tools/a", "#!/bin/sh\ntrue\n", 1, "opening", "without a comment"),
    "python without opening": ("tools/a.py", "import os\n", 1, "opening", "without a comment"),
    "cmake without opening": ("base/sub/CMakeLists.txt", "project(a)\n", 1, "opening", "without a comment"),
    "folder of the machine": ("README.md", "\nat /wo" "rk/main\n", 2, "names", "no part"),
    "folder beside the tree": ("docs/a.md", "see .." "/shared/x\n", 1, "names", "no part"),
    "registry host": ("tools/a.txt", "from deb.debian" ".org\n", 1, "names", "no part"),
    "long line of C++": ("base/a.cpp", "// " + "a" * 98 + "\n", 1, "lines", "101 characters, over 100"),
    "long row": ("base/a.def", "// " + "a" * 138 + "\n", 1, "lines", "141 characters, over 140"),
    "long line of text": ("docs/a.md", "a" * 121 + "\n", 1, "lines", "121 characters, over 120"),
    "long line of WAT": ("tests/a.cpp", '// A.\nauto t = R"((module\n' + "a" * 121 + ')";\n', 3, "lines", "over 120"),
    "tab": ("base/a.cpp", "// A.\n\tint a;\n", 2, "lines", "a tab"),
    "white space at the end": ("docs/a.md", "a \n", 1, "lines", "white space"),
    "no newline at the end": ("docs/a.md", "a\nb", 2, "lines", "no newline"),
    "unfinished without condition": ("base/a.cpp", "// A.\n// TODO: later\n", 2, "todo", "TODO(topic)"),
    "unfinished with topic only": ("base/a.cpp", "// A.\n// TODO(simd):\n", 2, "todo", "TODO(topic)"),
    "fix me": ("base/a.cpp", "// A.\n// FIXME now\n", 2, "todo", "not used"),
    "link to nothing": ("README.md", "a\n[b](docs/none.md)\n", 2, "links", "leads nowhere"),
    "link to no heading": ("README.md", "[b](docs/architecture.md#none)\n", 1, "links", "no such heading"),
    "link to no own heading": ("docs/a.md", "[b](#none)\n", 1, "links", "no such heading"),
    "index tells other": ("docs/architecture.md", "| `decoder/` | bytes | cli |\n", 1, "index", "depends on base"),
    "index lacks a folder": ("docs/architecture.md", "# A\n", 1, "index", "codegen/ is missing"),
    "large file": ("docs/a.bin", "a\n" * (1 << 19) + "\n", 1, "size", "over 1048576"),
    "large module": ("tests/a.wasm", "\0" * (64 * 1024 + 1), 1, "size", "over 65536"),
}
# Just inside each limit, and forms that look like violations.
FINE = {
    "line of 100": ("base/a.cpp", "// " + "a" * 97 + "\n"),
    "line of WAT": ("tests/a.cpp", '// A.\nauto t = R"((module\n' + "a" * 116 + ')";\n'),
    "small header with one line": ("base/a.hpp", "// A.\n#pragma once\n" + "int a;\n" * 38),
    "wide table": ("base/a.def", "// " + "a" * 137 + "\n"),
    "row of a document": ("docs/a.md", "| " + "a" * 200 + " |\n"),
    "link outside": ("README.md", "[b](https://example.com/none)\n"),
    "long link": ("docs/a.md", "- https://example.com/" + "a" * 150 + "\n"),
    "link to a folder": ("README.md", "[b](docs)\n"),
    "module of 64 KiB": ("tests/a.wasm", "\0" * (64 * 1024)),
    "file of 1 MiB": ("docs/a.bin", "ab\n\n" * (1 << 18)),
    "unfinished with condition": ("base/a.cpp", "// A.\n// TODO(simd): when the table has v128 rows\n"),
    "words that hold keywords": ("base/a.cpp", "// A.\nint rethrow_, retry{0}, catch_all;\n"),
    "digit separators": ("base/a.cpp", "// A.\nint a = 1'000'000; // it's\nint b; // don't throw\n"),
    "raw literal": ("base/a.cpp", '// A.\nauto t = R"(throw " )";\n'),
}


class TidyTest(unittest.TestCase):
    def violations(self, path=None, text=""):
        with tempfile.TemporaryDirectory() as root:
            for name, content in {**GOOD, **({path: text} if path else {})}.items():
                os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(content)
            return list(tidy.violations(root))

    def test_good_tree(self):
        self.assertEqual(self.violations(), [])

    def test_bad_samples(self):
        for case, (path, text, line, rule, message) in BAD.items():
            with self.subTest(case):
                found = self.violations(path, text)
                self.assertTrue(any(v.startswith(f"{path}:{line}: {rule}: ") and message in v for v in found), found)
                self.assertTrue(all(f": {rule}: " in v for v in found), found)

    def test_fine_samples(self):
        for case, (path, text) in FINE.items():
            with self.subTest(case):
                self.assertEqual(self.violations(path, text), [])

    def test_every_rule_has_a_bad_sample(self):
        self.assertEqual({sample[3] for sample in BAD.values()}, {*tidy.TEXT_CHECKS, "size"})


if __name__ == "__main__":
    unittest.main()
