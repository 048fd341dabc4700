#!/usr/bin/env python3
"""Runs a command that needs data from outside the tree, or says which variable would name it.
usage: need.py VARIABLE[=DEFAULT] -- COMMAND…
Where the environment's VARIABLE (or DEFAULT) exists, the command gets it in its environment, and `{VARIABLE}` in its
words stands for it. Where it does not, the exit code is 77, which ctest reports as skipped. A variable that is set but
names nothing is an error: a typing mistake must not pass as "nothing to test"."""
import os
import sys

split = sys.argv.index("--")
command = sys.argv[split + 1:]
for need in sys.argv[1:split]:
    name, _, default = need.partition("=")
    given = os.environ.get(name)
    path = given or default
    if given and not os.path.exists(given):
        sys.exit(f"{name}={given}: no such file or folder")
    if not path or not os.path.exists(path):
        print(f"skipped: {name} is not set", f"and there is no {default} (tools/setup fetches it)" if default else "")
        sys.exit(77)
    os.environ[name] = path = os.path.abspath(path)
    command = [word.replace("{" + name + "}", path) for word in command]
os.execvp(command[0], command)
