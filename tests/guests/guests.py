#!/usr/bin/env python3
"""Runs real programs under wrun and requires that all of them give the output known to be right.
usage: guests.py FOLDER WRUN      FOLDER holds `run.py ENGINE`, which ends in a line "N passed, N failed"."""
import re
import subprocess
import sys

folder, wrun = sys.argv[1:]
done = subprocess.run([sys.executable, f"{folder}/run.py", wrun], stdout=subprocess.PIPE, text=True)
print(done.stdout, end="")
# The exit code alone would also pass a run that found no program at all.
closing = re.fullmatch(r"(\d+) passed, 0 failed", done.stdout.rstrip().rpartition("\n")[2])
sys.exit(0 if done.returncode == 0 and closing and int(closing[1]) > 0 else 1)
