"""WAT text to wasm bytes, by the wasmtime library that WRUN_WASMTIME_LIB names."""
import ctypes
import functools
import os


class Bytes(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p)]


@functools.lru_cache(maxsize=None)
def library():
    loaded = ctypes.CDLL(os.environ["WRUN_WASMTIME_LIB"])
    loaded.wasmtime_wat2wasm.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(Bytes)]
    loaded.wasmtime_wat2wasm.restype = ctypes.c_void_p
    loaded.wasmtime_error_message.argtypes = [ctypes.c_void_p, ctypes.POINTER(Bytes)]
    loaded.wasmtime_error_message.restype = None
    return loaded


def assemble(wat):
    text, result = wat.encode(), Bytes()
    error = library().wasmtime_wat2wasm(text, len(text), ctypes.byref(result))
    if error:
        message = Bytes()
        library().wasmtime_error_message(error, ctypes.byref(message))
        raise ValueError(ctypes.string_at(message.data, message.size).decode() + "\n" + wat)
    return ctypes.string_at(result.data, result.size)
