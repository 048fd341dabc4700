#!/usr/bin/env python3
"""Modules made to hurt: each must compile in linear time and memory, or end in one clear line.

usage: hostile.py WRUN [NAME…]     runs every case (or those named) through `wrun run`, with all functions compiled.
Each row prints CPU time, also by byte of the module, for a person to read; the test itself judges exit codes, the
wording of refusals, and that nothing is killed or runs into the time limit, which is generous because machines are
shared. Last line: N passed, N failed.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time

TIME_LIMIT_SECONDS = 120


def leb(value):
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if value:
            out.append(byte | 0x80)
        else:
            out.append(byte)
            return bytes(out)


def vector(items):
    return leb(len(items)) + b"".join(items)


def section(number, payload):
    return bytes([number]) + leb(len(payload)) + payload


I32, I64, F64 = b"\x7f", b"\x7e", b"\x7c"
EMPTY = b"\x40"
END = b"\x0b"


def func_type(params, results):
    return b"\x60" + vector(params) + vector(results)


def body(code, local_groups=()):
    content = vector([leb(count) + kind for count, kind in local_groups]) + code + END
    return leb(len(content)) + content


def module(types, functions, bodies, table_size=None, start=None, extra=b""):
    """`functions` are type indices; function `start` is exported as _start."""
    out = b"\0asm\x01\0\0\0" + section(1, vector(types)) + section(3, vector([leb(t) for t in functions]))
    if table_size is not None:
        out += section(4, vector([b"\x70\x00" + leb(table_size)]))
    if start is not None:
        out += section(7, vector([leb(6) + b"_start" + b"\x00" + leb(start)]))
    return out + extra + section(10, vector(bodies))


VOID = func_type([], [])


def one(code, local_groups=(), types=(VOID,), **more):
    """A module of one function, its _start."""
    return module(list(types), [0], [body(code, local_groups)], start=0, **more)


def many_locals():
    # local.get of the last one, so that its place must be found.
    last = b"\x20" + leb(49_999) + b"\x1a"
    return module([VOID], [0] * 10_000, [body(last, [(50_000, I64)])] * 10_000, start=0)


def many_local_groups():
    groups = [(1, I32 if i & 1 else I64) for i in range(50_000)]
    code = b"".join(b"\x20" + leb(i) + b"\x1a" for i in range(0, 50_000, 7))
    return module([VOID], [0] * 4, [body(code, groups)] * 4, start=0)


def nested(open_bytes, depth):
    return one(open_bytes * depth + END * depth)


def nested_ifs(depth):
    return one((b"\x41\x01\x04" + EMPTY) * depth + END * depth)


def nested_loops_with_locals(depth):
    # Every loop wants its own state of eight homes; the branch at the innermost goes all the way out.
    use = b"".join(b"\x20" + leb(i) + b"\x41\x01\x6a\x21" + leb(i) for i in range(12))
    return one((b"\x03" + EMPTY) * depth + use + END * depth, [(12, I32)])


def nested_branches(depth):
    # From each depth a conditional branch to the outermost block.
    code = b"".join(b"\x02" + EMPTY + b"\x20\x00\x0d" + leb(i) for i in range(depth))
    return one(code + END * depth, [(1, I32)])


def wide_br_table():
    entries = 65_520
    depth = 300
    table = b"\x20\x00\x0e" + leb(entries) + b"".join(leb(i % depth) for i in range(entries)) + leb(0)
    return one((b"\x02" + EMPTY) * depth + table + END * depth, [(1, I32)])


def br_tables_with_edges():
    # Each of many tables branches to many targets, all with a value to move.
    depth = 100
    table = b"\x41\x07\x20\x00\x0e" + leb(depth - 1) + b"".join(leb(i) for i in range(depth - 1)) + leb(0)
    inner = (b"\x02\x7f" + table + END + b"\x1a") * 2_000
    code = b"\x02\x7f" * depth + inner + b"\x41\x05" + (END + b"\x1a\x41\x05") * depth + b"\x1a"
    return one(code, [(1, I32)])


def long_function(unit, target_bytes=7_000_000, local_groups=((4, I32),)):
    return one(unit * (target_bytes // len(unit)), local_groups)


def deep_stack(height):
    # Local aliases at the bottom, then sets that must look for them.
    return one(b"\x20\x00" * height + b"\x20\x01\x21\x00" * height + b"\x1a" * height, [(2, I32)])


def deep_mixed_stack(height):
    push = b"\x20\x00\x41\x03\x6a" + b"\x44" + bytes(8)
    return one(push * height + b"\x1a\x1a" * height, [(2, I32)])


def many_functions():
    count = 130_000
    call_next = [body(b"\x10" + leb(i + 1)) for i in range(0, 400)]
    return module([VOID], [0] * count, call_next + [body(b"")] * (count - 400), start=0)


def many_params():
    wide = func_type([I32] * 1000, [])
    count = 30_000
    return module([VOID, wide], [0] + [1] * count, [body(b"")] * (count + 1), start=0)


def thousand_values_through_calls():
    wide = func_type([I64] * 1000, [I64] * 1000)
    make = func_type([], [I64] * 1000)
    take = func_type([I64] * 1000, [])
    chain = b"\x10\x01" + b"\x10\x02" * 5_000 + b"\x10\x03"
    produce = body(b"\x42\x01" * 1000)
    identity = body(b"".join(b"\x20" + leb(i) for i in range(1000)))
    return module([VOID, make, wide, take], [0, 1, 2, 3], [body(chain), produce, identity, body(b"")], start=0)


def thousand_values_through_tiny_functions():
    make = func_type([], [I64] * 1000)
    count = 20_000
    produce = body(b"\x42\x01" * 1000)
    return module([VOID, make], [0, 1] + [1] * count, [body(b""), produce] + [body(b"\x10\x01")] * count, start=0)


def many_calls_saving_homes():
    # Every home is dirty before each call.
    dirty = b"".join(b"\x41\x01\x21" + leb(i) for i in range(20))
    return module([VOID], [0, 0], [body((dirty + b"\x10\x01") * 60_000, [(20, I32)]), body(b"")], start=0)


def joins_with_full_homes():
    # Blocks whose paths leave the homes in different places.
    sets = b"".join(b"\x20" + leb(i) + b"\x41\x01\x6a\x21" + leb(i) for i in range(8))
    piece = b"\x02" + EMPTY + b"\x20\x00\x0d\x00" + sets + b"\x20\x01\x0d\x00\x10\x01" + END
    return module([VOID], [0, 0], [body(piece * 40_000, [(8, I32)]), body(b"")], start=0)


def values_kept_over_blocks(code):
    # Blocks leave 500,000 values on the operand stack; `code` runs above them.
    make = func_type([], [I64] * 1000)
    block = b"\x02\x01" + b"\x42\x01" * 1000 + END
    return one(block * 500 + code + b"\x0f", [(2, I32)], types=(VOID, make))


def full_registers_above_many_values():
    return values_kept_over_blocks(b"\x20\x00\x41\x01\x6a" * 150_000)


def sets_above_many_values():
    return values_kept_over_blocks(b"\x41\x01\x21\x00" * 400_000)


def thousand_values_through_blocks(opening):
    wide = func_type([I64] * 1000, [I64] * 1000)
    piece = opening + b"\x01" + END
    return one(b"\x42\x01" * 1000 + piece * 50_000 + b"\x0f", types=(VOID, wide))


def thousand_values_through_branches():
    wide = func_type([I64] * 1000, [I64] * 1000)
    piece = b"\x02\x01\x41\x00\x0d\x00" + END
    return one(b"\x42\x01" * 1000 + piece * 20_000 + b"\x0f", types=(VOID, wide))


def thousand_values_through_a_table():
    # As many targets as labels, each with a thousand values of its own to carry.
    wide = func_type([I64] * 1000, [I64] * 1000)
    depth = 20_000
    table = b"\x41\x00\x0e" + vector([leb(i) for i in range(depth - 1)]) + leb(depth - 1)
    return one(b"\x42\x01" * 1000 + b"\x02\x01" * depth + table + END * depth + b"\x0f", types=(VOID, wide))


def counts_without_bytes():
    return b"\0asm\x01\0\0\0" + section(1, leb(0xFFFFFFFF))


def code_count_without_bytes():
    return b"\0asm\x01\0\0\0" + section(1, vector([VOID])) + section(3, leb(1_000_000) + b"\0" * 100)


def locals_count_overflow():
    return one(b"", [(0xFFFFFFFF, I32), (0xFFFFFFFF, I64)])


def big_frame_recursion():
    # 400 KB a frame: the probe must see the end of the stack.
    return module([VOID], [0], [body(b"\x10\x00", [(50_000, I64)])], start=0)


def small_frame_recursion():
    return module([VOID], [0], [body(b"\x10\x00")], start=0)


def recursion_with_arguments():
    wide = func_type([I64] * 1000, [])
    pass_on = b"".join(b"\x20" + leb(i) for i in range(1000)) + b"\x10\x01"
    first = b"\x42\x01" * 1000 + b"\x10\x01"
    return module([VOID, wide], [0, 1], [body(first), body(pass_on)], start=0)


def truncated_everywhere():
    whole = one(b"\x41\x01\x1a" * 10, [(1, I32)])
    return whole[: len(whole) - 7]


def component():
    return b"\0asm\x0d\0\x01\0" + bytes(100)


# name: (module, exit code of run, words that its message must hold; None: the program runs and says nothing)
CASES = {
    "50,000 locals in 10,000 functions": (many_locals, 0, None),
    "50,000 groups of locals": (many_local_groups, 0, None),
    "blocks nested 100,000 deep": (lambda: nested(b"\x02" + EMPTY, 100_000), 0, None),
    "loops nested 100,000 deep": (lambda: nested(b"\x03" + EMPTY, 100_000), 0, None),
    "ifs nested 100,000 deep": (lambda: nested_ifs(100_000), 0, None),
    "loops with locals nested 100,000 deep": (lambda: nested_loops_with_locals(100_000), 0, None),
    "branches out of 100,000 blocks": (lambda: nested_branches(100_000), 0, None),
    "a million and one blocks": (lambda: nested(b"\x02" + EMPTY, 1_000_001), 1, "nested deeper"),
    "br_table of 65,520 labels": (wide_br_table, 0, None),
    "2,000 br_tables of 100 edges": (br_tables_with_edges, 0, None),
    "7 MB of adds": (lambda: long_function(b"\x20\x00\x20\x01\x6a\x21\x00"), 0, None),
    "7 MB of blocks": (lambda: long_function(b"\x02" + EMPTY + END), 0, None),
    "7 MB of ifs": (lambda: long_function(b"\x20\x00\x04" + EMPTY + b"\x05" + END), 0, None),
    "7 MB of divisions": (lambda: long_function(b"\x20\x00\x41\x03\x6d\x1a"), 0, None),
    "7 MB of float constants": (lambda: long_function(b"\x44\x01\x02\x03\x04\x05\x06\x07\x08\x1a"), 0, None),
    "17 MB function": (lambda: long_function(b"\x01", 17_000_000), 1, "larger than wrun accepts"),
    "operand stack 1,100,000 high": (lambda: deep_stack(1_100_000), 134, "call stack exhausted"),
    "mixed operand stack 300,000 high": (lambda: deep_mixed_stack(300_000), 0, None),
    "130,000 functions": (many_functions, 0, None),
    "1,000 parameters in 30,000 functions": (many_params, 0, None),
    "1,000 values through 5,000 calls": (thousand_values_through_calls, 1, "compiled code is larger"),
    "1,000 results of 20,000 functions": (thousand_values_through_tiny_functions, 1, "compiled code is larger"),
    "full registers above 500,000 values": (full_registers_above_many_values, 0, None),
    "400,000 sets above 500,000 values": (sets_above_many_values, 0, None),
    "1,000 values through 50,000 blocks": (lambda: thousand_values_through_blocks(b"\x02"), 0, None),
    "1,000 values through 50,000 loops": (lambda: thousand_values_through_blocks(b"\x03"), 0, None),
    "1,000 values through 20,000 branches": (thousand_values_through_branches, 0, None),
    "1,000 values through a br_table": (thousand_values_through_a_table, 1, "compiled code is larger"),
    "60,000 calls with dirty homes": (many_calls_saving_homes, 0, None),
    "40,000 joins with calls": (joins_with_full_homes, 0, None),
    "a count of 2^32-1 types": (counts_without_bytes, 1, "at byte"),
    "a million functions without bytes": (code_count_without_bytes, 1, "at byte"),
    "2^33 locals": (locals_count_overflow, 1, "too many locals"),
    "recursion with frames of 400 KB": (big_frame_recursion, 134, "call stack exhausted"),
    "recursion with small frames": (small_frame_recursion, 134, "call stack exhausted"),
    "recursion with 1,000 arguments": (recursion_with_arguments, 134, "call stack exhausted"),
    "a truncated module": (truncated_everywhere, 1, "at byte"),
    "a component": (component, 1, "this is a component; wrun runs core modules"),
}


def run_case(wrun, name, folder):
    make, expected, words = CASES[name]
    data = make()
    path = os.path.join(folder, "hostile.wasm")
    with open(path, "wb") as file:
        file.write(data)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.time()
    try:
        done = subprocess.run([wrun, "run", "--compilation", "eager", path], capture_output=True,
                              timeout=TIME_LIMIT_SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        print(f"FAIL {name}: still running after {TIME_LIMIT_SECONDS} s")
        return False
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    message = done.stderr.decode(errors="replace")
    ok = done.returncode == expected
    if words is None:
        ok = ok and message == ""
    else:
        ok = ok and words in message and len(message) < 64 * 1024
    print(f"{'ok  ' if ok else 'FAIL'} {name}: {len(data)} bytes, exit {done.returncode}, {cpu:.2f} s of CPU"
          f" ({1e6 * cpu / len(data):.2f} µs/byte), {time.time() - started:.2f} s"
          + ("" if ok else f"; wanted exit {expected} and {words!r}: {message.strip()[-300:]!r}"), flush=True)
    return ok


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    wrun = sys.argv[1]
    names = sys.argv[2:] or list(CASES)
    with tempfile.TemporaryDirectory() as folder:
        results = [run_case(wrun, name, folder) for name in names]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
