// wasm3 as a whole process, with nothing of WASI but what a greeting needs: less than its own
// command does. usage: wasm3_hello MODULE.wasm
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <wasm3.h>

static m3ApiRawFunction(fd_write) {
    m3ApiReturnType(uint32_t) m3ApiGetArg(uint32_t, file) m3ApiGetArgMem(const uint32_t*, pieces)
        m3ApiGetArg(uint32_t, count) m3ApiGetArgMem(uint32_t*, written)* written = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const void* const bytes = m3ApiOffsetToPtr(pieces[2 * i]);
        m3ApiCheckMem(bytes, pieces[2 * i + 1]);
        const ssize_t done = write((int)file, bytes, pieces[2 * i + 1]);
        if (done < 0) m3ApiReturn(29);
        *written += (uint32_t)done;
    }
    m3ApiReturn(0);
}

static void expect(M3Result result) {
    if (result == m3Err_none) return;
    fprintf(stderr, "error: wasm3: %s\n", result);
    exit(1);
}

int main(int argc, char** argv) {
    static uint8_t bytes[1 << 20];
    FILE* const file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL) return 2;
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    IM3Environment environment = m3_NewEnvironment();
    IM3Runtime runtime = m3_NewRuntime(environment, 64 * 1024, NULL);
    IM3Module module = NULL;
    IM3Function start = NULL;
    expect(m3_ParseModule(environment, &module, bytes, (uint32_t)size));
    expect(m3_LoadModule(runtime, module));
    expect(m3_LinkRawFunction(module, "wasi_snapshot_preview1", "fd_write", "i(i*i*)", &fd_write));
    expect(m3_FindFunction(&start, runtime, "_start"));
    expect(m3_CallV(start));
    return 0;
}
