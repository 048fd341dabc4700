/* An http-wasm handler: the request is asked for and the answer given by calls. For the route
 * /greet/:name the server gives it the name as the field spin-path-match-name. */
#include <stdint.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("http_handler"), import_name(name)))
IMPORT("get_method") uint32_t get_method(char* buffer, uint32_t limit);
IMPORT("get_header_values")
uint64_t get_header_values(uint32_t kind, const char* name, uint32_t name_length, char* buffer,
    uint32_t limit); /* how many << 32 | their length, each ended by a zero byte */
IMPORT("set_header_value")
void set_header_value(uint32_t kind, const char* name, uint32_t name_length, const char* value,
    uint32_t value_length);
IMPORT("set_status_code") void set_status_code(uint32_t status);
IMPORT("write_body") void write_body(uint32_t kind, const char* bytes, uint32_t length);

enum { OF_REQUEST, OF_ANSWER };

static void set_field(const char* name, const char* value) {
    set_header_value(OF_ANSWER, name, strlen(name), value, strlen(value));
}

static void write_text(const char* text) {
    write_body(OF_ANSWER, text, strlen(text));
}

/* 0: the answer is complete; 1 would pass the request on to what is next. */
__attribute__((export_name("handle_request"))) uint64_t handle_request(void) {
    static const char field[] = "spin-path-match-name";
    char method[16];
    char name[256];
    uint32_t length = get_method(method, sizeof method);
    set_field("content-type", "text/plain");
    if (length != 3 || memcmp(method, "GET", 3) != 0) {
        set_status_code(405);
        set_field("allow", "GET");
        write_text("only GET\n");
        return 0;
    }
    /* A name that is longer than the buffer leaves it as it is. */
    uint64_t found = get_header_values(OF_REQUEST, field, sizeof field - 1, name, sizeof name);
    write_text("Hello, ");
    write_text(found >> 32 == 1 && (uint32_t)found <= sizeof name ? name : "whoever you are");
    write_text(".\n");
    return 0;
}

/* After what is next has answered, which this handler never asks for. */
__attribute__((export_name("handle_response"))) void handle_response(
    uint32_t context, uint32_t is_error) {
    (void)context;
    (void)is_error;
}
