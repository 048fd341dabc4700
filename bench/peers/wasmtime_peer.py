#!/usr/bin/env python3
"""Wasmtime through its C API, measured by this process's CPU time around one step.
usage: wasmtime_peer.py LIBRARY winch|cranelift THREADS compile FILE REPEATS | kernel FILE WORK REPEATS | guest SPEC
         | serialize FILE ARTIFACT       prints one JSON object. With more than one thread wasmtime compiles in
parallel, on as many as RAYON_NUM_THREADS says."""
import ctypes
import json
import os
import struct
import sys
import time


class Bytes(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]


class Func(ctypes.Structure):
    _fields_ = [("store", ctypes.c_uint64), ("private", ctypes.c_void_p)]


class Extern(ctypes.Structure):
    # The union is as large and as aligned as three pointers.
    _fields_ = [("kind", ctypes.c_uint8), ("func", Func), ("rest", ctypes.c_uint64 * 4)]


class Value(ctypes.Structure):
    # Aligned as the union's 128-bit vector of bytes and pointers is.
    _fields_ = [("kind", ctypes.c_uint8), ("i32", ctypes.c_int64), ("rest", ctypes.c_uint64 * 2)]


class Instance(ctypes.Structure):
    _fields_ = [("store", ctypes.c_uint64), ("private", ctypes.c_size_t)]


def load(path):
    library = ctypes.CDLL(path)
    pointers = """wasm_config_new wasm_engine_new_with_config wasmtime_module_new wasmtime_module_validate
        wasmtime_module_serialize wasmtime_module_deserialize_file wasmtime_store_new wasmtime_store_context
        wasmtime_linker_new wasmtime_linker_define_wasi wasmtime_linker_instantiate wasmtime_func_call
        wasmtime_context_set_wasi wasi_config_new"""
    for name in pointers.split():
        getattr(library, name).restype = ctypes.c_void_p
    for name in ("wasmtime_instance_export_get", "wasmtime_error_exit_status", "wasi_config_set_argv",
                 "wasi_config_set_env", "wasi_config_preopen_dir", "wasi_config_set_stdin_file",
                 "wasi_config_set_stdout_file", "wasi_config_set_stderr_file"):
        getattr(library, name).restype = ctypes.c_bool
    return library


def pointer(address):
    return ctypes.c_void_p(address)


class Failed(Exception):
    pass


class Engine:
    def __init__(self, library, strategy, threads):
        self.api = library
        config = pointer(library.wasm_config_new())
        library.wasmtime_config_strategy_set(config, ctypes.c_uint8({"cranelift": 1, "winch": 2}[strategy]))
        library.wasmtime_config_parallel_compilation_set(config, ctypes.c_bool(threads > 1))
        self.engine = pointer(library.wasm_engine_new_with_config(config))

    def check(self, error):
        if error:
            message = Bytes()
            self.api.wasmtime_error_message(pointer(error), ctypes.byref(message))
            raise Failed(ctypes.string_at(message.data, message.size).decode(errors="replace"))

    def compile(self, data):
        module = ctypes.c_void_p()
        self.check(self.api.wasmtime_module_new(self.engine, data, ctypes.c_size_t(len(data)), ctypes.byref(module)))
        return module

    def drop(self, module):
        self.api.wasmtime_module_delete(module)

    def validate(self, data):
        self.check(self.api.wasmtime_module_validate(self.engine, data, ctypes.c_size_t(len(data))))

    def serialize(self, module):
        result = Bytes()
        self.check(self.api.wasmtime_module_serialize(module, ctypes.byref(result)))
        return ctypes.string_at(result.data, result.size)

    def deserialize(self, path):
        module = ctypes.c_void_p()
        self.check(self.api.wasmtime_module_deserialize_file(self.engine, path.encode(), ctypes.byref(module)))
        return module

    def wasi(self, spec):
        strings = lambda words: (ctypes.c_char_p * len(words))(*(word.encode() for word in words))
        config = pointer(self.api.wasi_config_new())
        good = self.api.wasi_config_set_argv(config, ctypes.c_size_t(len(spec["args"])), strings(spec["args"]))
        names, values = strings(list(spec["env"])), strings(list(spec["env"].values()))
        good &= self.api.wasi_config_set_env(config, ctypes.c_size_t(len(spec["env"])), names, values)
        for guest, host in spec["preopens"].items():
            good &= self.api.wasi_config_preopen_dir(config, host.encode(), guest.encode(), ctypes.c_bool(True))
        good &= self.api.wasi_config_set_stdin_file(config, spec["stdin"].encode())
        good &= self.api.wasi_config_set_stdout_file(config, spec["stdout"].encode())
        good &= self.api.wasi_config_set_stderr_file(config, b"/dev/null")
        if not good:
            raise Failed("a stream or a folder cannot be opened")
        return config

    def instantiate(self, module, wasi=None):
        store = pointer(self.api.wasmtime_store_new(self.engine, None, None))
        self.context = pointer(self.api.wasmtime_store_context(store))
        linker = pointer(self.api.wasmtime_linker_new(self.engine))
        if wasi is not None:
            self.check(self.api.wasmtime_linker_define_wasi(linker))
            self.check(self.api.wasmtime_context_set_wasi(self.context, wasi))
        instance, trap = Instance(), ctypes.c_void_p()
        self.check(self.api.wasmtime_linker_instantiate(linker, self.context, module, ctypes.byref(instance),
                                                        ctypes.byref(trap)))
        if trap:
            raise Failed("trapped while it was instantiated")
        return instance

    def export(self, instance, name):
        item = Extern()
        if not self.api.wasmtime_instance_export_get(self.context, ctypes.byref(instance), name,
                                                     ctypes.c_size_t(len(name)), ctypes.byref(item)):
            raise Failed(f"no export {name}")
        return item.func

    def call(self, func, arguments, results):
        """The exit code, if the guest left by one."""
        trap = ctypes.c_void_p()
        count = lambda values: ctypes.c_size_t(len(values))
        error = self.api.wasmtime_func_call(self.context, ctypes.byref(func), arguments, count(arguments), results,
                                            count(results), ctypes.byref(trap))
        status = ctypes.c_int()
        if error and self.api.wasmtime_error_exit_status(pointer(error), ctypes.byref(status)):
            return status.value
        self.check(error)
        if trap:
            raise Failed("trapped")
        return 0


def measured(into, step):
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    value = step()
    into["wall_ns"].append(time.perf_counter_ns() - wall)
    into["cpu_ns"].append(time.process_time_ns() - cpu)
    return value


def repeated(repeats, step, after=lambda value: None):
    """The first one warms up and is not reported."""
    result = {"cpu_ns": [], "wall_ns": []}
    for index in range(repeats + 1):
        into = result if index > 0 else {"cpu_ns": [], "wall_ns": []}
        after(measured(into, step))
    return result


def read(path):
    with open(path, "rb") as file:
        return file.read()


def text_bytes(artifact):
    """Of the ELF file that an artifact is, the size of its code."""
    table, = struct.unpack_from("<Q", artifact, 0x28)
    size, count, names = struct.unpack_from("<HHH", artifact, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", artifact, table + size * index) for index in range(count)]
    for name, _, _, _, _, length in headers:
        begin = headers[names][4] + name
        if artifact[begin:artifact.index(b"\0", begin)] == b".text":
            return length
    raise Failed("an artifact without code")


def compile_(engine, path, repeats):
    data = read(path)
    validate = repeated(int(repeats), lambda: engine.validate(data))
    sizes = []

    def look_and_drop(module):
        if not sizes:
            sizes.append(text_bytes(engine.serialize(module)))
        engine.drop(module)

    compiled = repeated(int(repeats), lambda: engine.compile(data), look_and_drop)
    return {"compile": compiled, "validate": validate, "machine_code_bytes": sizes[0]}


def kernel(engine, path, work, repeats):
    run = engine.export(engine.instantiate(engine.compile(read(path))), b"run")
    arguments, results = (Value * 1)(Value(0, int(work))), (Value * 1)()
    times = repeated(int(repeats), lambda: engine.call(run, arguments, results))
    return {"run": times, "result": results[0].i32 & 0xffffffff}


def guest(engine, spec):
    spec = json.loads(spec)
    instance = engine.instantiate(engine.deserialize(spec["artifact"]), engine.wasi(spec))
    start = engine.export(instance, b"_start")
    times = {"cpu_ns": [], "wall_ns": []}
    code = measured(times, lambda: engine.call(start, (Value * 0)(), (Value * 0)()))
    return {"run": times, "exit_code": code}


def serialize(engine, path, artifact):
    data = engine.serialize(engine.compile(read(path)))
    with open(artifact + ".part", "wb") as file:
        file.write(data)
    os.replace(artifact + ".part", artifact)
    return {"artifact_bytes": len(data)}


if __name__ == "__main__":
    library, strategy, threads, mode, *words = sys.argv[1:]
    modes = {"compile": compile_, "kernel": kernel, "guest": guest, "serialize": serialize}
    try:
        print(json.dumps(modes[mode](Engine(load(library), strategy, int(threads)), *words)))
    except Failed as failed:
        sys.exit(str(failed))
