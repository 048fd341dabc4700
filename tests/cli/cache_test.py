#!/usr/bin/env python3
"""The cache as `wrun run` and `wrun cache` use it.
usage: cache_test.py WRUN [TEST…]     WRUN_WASMTIME_LIB names the library that assembles the guests."""
import os
import subprocess
import sys
import time
import unittest

import guests
from cli_test import CliTest, WRUN
from wat import assemble


class Cache(CliTest):
    def setUp(self):
        super().setUp()
        self.cache = self.path("cache")

    def run_wrun(self, *words, env=None, **more):
        env = {"WRUN_CACHE_DIR": self.cache, "WRUN_LOG": "info", **(env or {})}
        return super().run_wrun(*words, env=env, **more)

    def kept(self, ending=".wrun"):
        return [name for name in os.listdir(self.cache) if name.endswith(ending)]

    def old(self, path):
        """Waits until a note may be made of the file."""
        left = os.stat(path).st_ctime + 2.05 - time.time()
        time.sleep(max(left, 0))

    def test_runs_what_was_compiled_before(self):
        guest = self.wasm(guests.strings("args"))
        self.expect(0, guest, "x", out="guest.wasm\0x\0", err="compiled 1|compiled [2-9]")
        self.assertEqual(len(self.kept()), 1)
        self.expect(0, guest, "y", out="guest.wasm\0y\0", err="compiled before")
        with open(guest, "rb") as file:
            self.expect(0, "-", stdin=file.read(), out="-\0", err="compiled before")
        for number, options in enumerate((["--bounds", "checked"], ["--epoch"], ["--fuel", "1M"])):
            self.expect(0, *options, guest, out="guest.wasm\0", err="compiled [0-9]")
            self.assertEqual(len(self.kept()), 2 + number)
            self.expect(0, *options, guest, out="guest.wasm\0", err="compiled before")

    def test_what_was_compiled_before_is_stopped_in_time(self):
        guest = self.wasm('(module (func (export "_start") (loop $l (br $l))))')
        for options in (["--timeout", "30ms"], ["--timeout", "30ms", "--epoch"]):
            self.expect(124, *options, guest, err="compiled [0-9]")
            self.expect(124, *options, guest, err=["compiled before", "stopped by --timeout"])
        self.expect(134, "--fuel", "1000", guest, err=["compiled [0-9]", "out of fuel"])
        self.expect(134, "--fuel", "1000", guest, err=["compiled before", "out of fuel"])

    def test_a_note_saves_reading_the_module(self):
        guest = self.wasm(guests.exits(7))
        self.expect(7, guest)
        self.assertEqual(self.kept(".note"), [], "it was written just now")
        self.old(guest)
        self.expect(7, guest, err="compiled before")
        self.assertEqual(len(self.kept(".note")), 1)
        self.expect(7, guest, err="compiled before")
        calls = subprocess.run(["strace", "-f", "-e", "trace=read,pread64", "-P", guest, WRUN, guest],
                               env={**os.environ, "WRUN_CACHE_DIR": self.cache}, capture_output=True) \
            if os.path.exists("/usr/bin/strace") else None
        if calls is not None and calls.returncode == 7:
            bytes_read = [line for line in calls.stderr.decode().splitlines() if line.startswith(("read", "pread"))]
            self.assertLessEqual(len(bytes_read), 1, "its first bytes tell that it is no artifact")

    def test_a_file_that_changes_is_seen_at_once(self):
        guest = self.path("guest.wasm")
        modules = [assemble(guests.exits(code)) for code in range(8)]
        self.assertEqual(len({len(module) for module in modules}), 1, "of equal sizes")
        for turn in range(40):
            code = turn * 5 % 8
            if turn % 2:
                self.write("guest.wasm", modules[code])
            else:
                self.write("next", modules[code])
                os.replace(self.path("next"), guest)
            if turn in (20, 30):
                self.old(guest)
            for _ in range(2):
                self.expect(code, guest)

    def test_options_and_variables_say_where(self):
        guest = self.wasm(guests.EMPTY)
        self.expect(0, "--no-cache", guest)
        self.expect(0, guest, env={"WRUN_CACHE_DIR": ""})
        self.assertFalse(os.path.exists(self.cache))
        home = {"HOME": self.folder, "XDG_CACHE_HOME": "", "PATH": os.environ["PATH"]}
        for name, value, where in (("HOME", self.folder, ".cache/wrun"),
                                   ("XDG_CACHE_HOME", self.path("xdg"), "xdg/wrun")):
            env = {**home, name: value}
            done = subprocess.run([WRUN, guest], env=env, capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertEqual(len(os.listdir(self.path(where))), 1, where)
            told = subprocess.run([WRUN, "cache", "dir"], env=env, capture_output=True, timeout=60)
            self.assertEqual(told.stdout.decode(), self.path(where) + "\n")
            self.assertEqual(os.stat(self.path(where)).st_mode & 0o777, 0o700)
        done = subprocess.run([WRUN, guest], env={"PATH": "/usr/bin"}, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, b""), "nowhere to keep it is no mistake")

    def test_a_folder_that_cannot_be_used_costs_one_warning(self):
        guest = self.wasm(guests.exits(3))
        self.write("file", b"")
        os.mkdir(self.path("open"), 0o700)
        os.chmod(self.path("open"), 0o777)
        os.symlink(self.folder, self.path("link"))
        for folder, why in ((self.path("no/where"), "No such file"), (self.path("file"), "Not a directory"),
                            (self.path("open"), "others may write"), (self.path("link"), "."),
                            (self.path("link/"), "."), ("/proc/wrun", "No such file|not permitted")):
            with self.subTest(folder=folder):
                done = self.expect(3, guest, env={"WRUN_CACHE_DIR": folder, "WRUN_LOG": "warn"}, err=why)
                self.assertEqual(done.err.count("\n"), 1, done.err)
                self.expect(1, "cache", "stat", env={"WRUN_CACHE_DIR": folder}, err=why)

    def test_what_cannot_be_written_is_run_all_the_same(self):
        guest = self.wasm(guests.exits(3))
        done = self.expect(3, guest, env={"WRUN_LOG": "warn"}, err="not kept: .*File too large",
                           preexec_fn=lambda: __import__("resource").setrlimit(
                               __import__("resource").RLIMIT_FSIZE, (8192, 8192)))
        self.assertEqual(done.err.count("\n"), 1, done.err)
        self.assertEqual(os.listdir(self.cache), [])

    def test_damage_is_compiled_again(self):
        guest = self.wasm(guests.exits(9))
        self.expect(9, guest)
        entry = os.path.join(self.cache, self.kept()[0])
        for at in (0, 8, 40, 64, 100, 230, 4090, 4096, 4200):
            with open(entry, "rb") as file:
                whole = file.read()
            os.chmod(entry, 0o600)
            with open(entry, "r+b") as file:
                file.seek(at)
                file.write(bytes([whole[at] ^ 0x40]))
            self.expect(9, guest, err="compiled [0-9]")
            self.expect(9, guest, err="compiled before")

    def test_stat_and_prune(self):
        for code in range(3):
            self.expect(code, self.wasm(guests.exits(code)))
        self.assertRegex(self.expect(0, "cache", "stat").out,
                         r"folder +\S+cache\nmodules +3\nsize +\S+ .B of 2147.48 MB\n")
        self.assertIn("of 1.05 MB", self.expect(0, "cache", "stat", env={"WRUN_CACHE_SIZE": "1M"}).out)
        self.expect(0, "cache", "stat", env={"WRUN_CACHE_SIZE": "many"}, err="WRUN_CACHE_SIZE")
        size = os.stat(os.path.join(self.cache, self.kept()[0])).st_size
        self.assertRegex(self.expect(0, "cache", "prune", "--max", str(size)).out, r"modules +1\n")
        self.assertRegex(self.expect(0, "cache", "prune").out, r"modules +0\n")
        self.expect(0, self.wasm(guests.exits(0)), env={"WRUN_CACHE_SIZE": "1K"})
        self.assertEqual(self.kept(), [], "larger than all there may be")
        self.expect(1, "cache", "dir", env={"WRUN_CACHE_DIR": ""}, err="there is no cache")
        for words in (["cache"], ["cache", "empty"], ["cache", "prune", "--max", "much"]):
            self.expect(2, *words, err="Try 'wrun --help'")

    def test_an_artifact_is_checked_whole_until_it_was_whole_once(self):
        self.expect(0, "compile", self.wasm(guests.exits(5)))
        artifact = self.path("guest.wrun")
        self.old(artifact)
        for _ in range(2):
            self.expect(5, "--allow-precompiled", artifact)
        self.assertEqual(len(self.kept(".note")), 1)
        self.assertEqual(self.kept(), [], "it is kept already where it is")
        with open(artifact, "r+b") as file:
            whole = file.read()
            code = len(whole.rstrip(b"\0")) - 1
            file.seek(code)
            file.write(bytes([whole[code] ^ 1]))
        self.expect(1, "--allow-precompiled", artifact, err="damaged")

    def test_many_at_once(self):
        expected = {}
        for code in range(6):
            expected[self.wasm(guests.exits(code), f"{code}.wasm")] = code
        env = {**os.environ, "WRUN_CACHE_DIR": self.cache, "WRUN_CACHE_SIZE": "60K"}
        for _ in range(4):
            running = [(code, subprocess.Popen([WRUN, path], env=env, stderr=subprocess.PIPE))
                       for path, code in expected.items() for _ in range(3)]
            for code, process in running:
                _, err = process.communicate(timeout=120)
                self.assertEqual((process.returncode, err), (code, b""))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
