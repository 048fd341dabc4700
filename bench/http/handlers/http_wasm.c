/* The smallest http-wasm handler: one field and the body. */
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("http_handler"), import_name(name)))
IMPORT("set_header_value")
void set_header_value(uint32_t kind, const char* name, uint32_t name_length, const char* value,
    uint32_t value_length);
IMPORT("write_body") void write_body(uint32_t kind, const char* bytes, uint32_t length);

__attribute__((export_name("handle_request"))) uint64_t handle_request(void) {
    set_header_value(1, "content-type", 12, "text/plain", 10);
    write_body(1, "hello, world", 12);
    return 0;
}

__attribute__((export_name("handle_response"))) void handle_response(
    uint32_t context, uint32_t is_error) {
    (void)context;
    (void)is_error;
}
