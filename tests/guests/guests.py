#!/usr/bin/env python3
"""Runs real programs under wrun and requires that all of them give the output known to be right.
usage: guests.py FOLDER WRUN [WORD…]      with WORDs as options of each `wrun run`
FOLDER holds `run.py ENGINE`, which calls `ENGINE run …` and ends in a line "N passed, N failed"."""
import os
import re
import shlex
import subprocess
import sys
import tempfile

folder, wrun, *words = sys.argv[1:]
with tempfile.TemporaryDirectory() as scratch:
    engine = os.path.join(scratch, "wrun")
    with open(engine, "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as script:
        script.write(f'#!/bin/sh\nshift\nexec {shlex.join([wrun, "run", *words])} "$@"\n')
    done = subprocess.run([sys.executable, f"{folder}/run.py", engine], stdout=subprocess.PIPE, text=True)
print(done.stdout, end="")
# The exit code alone would also pass a run that found no program at all.
closing = re.fullmatch(r"(\d+) passed, 0 failed", done.stdout.rstrip().rpartition("\n")[2])
sys.exit(0 if done.returncode == 0 and closing and int(closing[1]) > 0 else 1)
