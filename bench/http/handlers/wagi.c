/* The smallest WAGI handler: one write. */
#include <stdint.h>

struct Bytes {
    const char* data;
    uint32_t size;
};

__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) uint32_t fd_write(
    uint32_t descriptor, const struct Bytes* parts, uint32_t count, uint32_t* written);

__attribute__((export_name("_start"))) void start(void) {
    static const char answer[] = "Content-Type: text/plain\n\nhello, world";
    static const struct Bytes parts[] = {{answer, sizeof answer - 1}};
    uint32_t written;
    fd_write(1, parts, 1, &written);
}
