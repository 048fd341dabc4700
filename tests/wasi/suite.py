#!/usr/bin/env python3
"""Runs the official WASI test suite (the folder of its branch `prod/testsuite-base`, with the modules built).
usage: suite.py FOLDER WRUN     Prints each failure; the last line is "N passed, N failed"."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

folder, wrun = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])


def specification(module):
    """Arguments, variables, granted folder, exit code and output, out of either form that the suite has had."""
    told = {}
    path = module[:-len(".wasm")] + ".json"
    if os.path.exists(path):
        with open(path) as file:
            told = json.load(file)
    for operation in told.get("operations", []):
        if operation["type"] == "run":
            told.update(args=operation.get("args", []), env=operation.get("env", {}), root=operation.get("root"))
        elif operation["type"] == "wait":
            told["exit_code"] = operation.get("exit_code", 0)
        elif operation["type"] == "read":
            told[operation.get("id", "stdout")] = operation.get("payload", "")
    root = told.get("root") or (told.get("dirs") or [None])[0]
    return told.get("args", []), told.get("env", {}), root, told.get("exit_code", 0), told.get("stdout")


def run(module):
    """Why the module fails, or nothing. Its folder is copied: tests write into it."""
    args, env, root, code, output = specification(module)
    with tempfile.TemporaryDirectory(prefix="wrun-suite-") as scratch:
        command = [wrun]
        for name, value in env.items():
            command += ["--env", f"{name}={value}"]
        if root:
            shutil.copytree(os.path.join(os.path.dirname(module), root), f"{scratch}/root", symlinks=True,
                            ignore=shutil.ignore_patterns("*.cleanup"))
            command += ["--dir", f"{scratch}/root::/"]
        try:
            done = subprocess.run(command + [module] + args, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        except subprocess.TimeoutExpired:
            return "does not end"
    seen = done.stdout.decode(errors="replace")
    if done.returncode != code:
        return f"exit code {done.returncode}, not {code}\n{seen}{done.stderr.decode(errors='replace')}"
    if output is not None and seen != output:
        return f"output {seen!r}, not {output!r}"
    return None


modules = [path for path in sorted(glob.glob(f"{folder}/**/*.wasm", recursive=True))
           if "wasip2" not in path and "wasip3" not in path]
failed = 0
for each in modules:
    why = run(each)
    failed += why is not None
    if why:
        print(f"FAIL {os.path.relpath(each, folder)}: {why}")
print(f"{len(modules) - failed} passed, {failed} failed")
sys.exit(failed > 0 or not modules)
