#!/usr/bin/env python3
"""Runs one set of official scripts and holds the result against suite_counts.csv: nothing fails, and as many
assertions of each kind pass as the set has, so that none is skipped or dropped on the way.
usage: suite_run.py WRUN_SPEC SET [OPTION…]       with the environment's WRUN_SPEC_DIR"""
import collections
import csv
import os
import subprocess
import sys
import tempfile

# What a run may skip. Anything else that is skipped was not run.
SKIPPED = {"assert_malformed_text", "assert_malformed_custom", "assert_invalid_custom"}


def expected(name):
    """(version of the suite, counts by kind) of the set, as committed."""
    with open(os.path.join(os.path.dirname(__file__), "suite_counts.csv"), encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return rows[0][2], {kind: int(count) for of, kind, count in rows[2:] if of == name and kind != "files"}


def is_version(version):
    try:
        with open(os.path.join(os.environ["WRUN_SPEC_DIR"], "..", "Cargo.toml"), encoding="utf-8") as file:
            return f'\nversion = "{version}"\n' in file.read()
    except OSError:
        return False


program, name, *options = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "counts.csv")
    code = subprocess.run([program, "--set", name, *options, "--csv", path], check=False).returncode
    if code != 0:
        sys.exit(code)
    with open(path, encoding="utf-8") as file:
        table = list(csv.DictReader(file))

counts = collections.Counter()
for row in table:
    counts[row["kind"]] += int(row["skipped" if row["kind"] in SKIPPED else "passed"])
version, committed = expected(name)
if is_version(version) and counts != committed:
    sys.exit(f"{name}: expected {committed}, got {dict(counts)}")
