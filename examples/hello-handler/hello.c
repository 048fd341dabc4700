/* A CGI handler: the request comes in the environment and on standard input, the answer goes to
 * standard output. Built for wasm32-wasi it is an ordinary program; `wrun` gives it a sandbox of
 * its own for every request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char* variable(const char* name) {
    const char* value = getenv(name);
    return value != NULL ? value : "";
}

/* JSON text of any bytes: quotes, backslashes and control characters are escaped. */
static void print_json_string(const char* text, size_t length) {
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static void print_field(const char* name, const char* value, const char* end) {
    printf("  \"%s\": ", name);
    print_json_string(value, strlen(value));
    printf("%s\n", end);
}

static void answer_not_allowed(void) {
    printf(
        "Status: 405 Method Not Allowed\r\nAllow: GET, POST\r\nContent-Type: text/plain\r\n\r\n");
    printf("only GET and POST\n");
}

static void answer_page(void) {
    printf("Status: 200 OK\r\nContent-Type: text/html\r\n\r\n");
    printf("<!doctype html><title>hello</title><p>Hello from a fresh sandbox.</p>\n");
}

static void answer_json(const char* body, size_t length) {
    printf("Status: 200 OK\r\nContent-Type: application/json\r\n\r\n{\n");
    print_field("method", variable("REQUEST_METHOD"), ",");
    print_field("path", variable("PATH_INFO"), ",");
    print_field("query", variable("QUERY_STRING"), ",");
    printf("  \"body\": ");
    print_json_string(body, length);
    printf(",\n  \"body_bytes\": %zu\n}\n", length);
}

int main(void) {
    static char body[64 * 1024];
    const char* method = variable("REQUEST_METHOD");
    if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0) {
        answer_not_allowed();
    } else if (strcmp(method, "GET") == 0 && strcmp(variable("PATH_INFO"), "/") == 0) {
        answer_page();
    } else {
        size_t length = fread(body, 1, sizeof body, stdin);
        answer_json(body, length);
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
