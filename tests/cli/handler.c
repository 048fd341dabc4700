// A handler for the tests of `wrun serve`: what it does is in the path.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    const char* path = getenv("PATH_INFO");
    static int answers;
    volatile unsigned long spins = 0;
    while (strcmp(path, "/spin") == 0)
        ++spins;
    if (strcmp(path, "/trap") == 0) __builtin_trap();
    if (strncmp(path, "/sleep/", 7) == 0) usleep((useconds_t)atoi(path + 7) * 1000);
    if (strncmp(path, "/echo", 5) == 0) {
        static char text[4096];
        printf("Content-Type: text/plain\n\n");
        for (size_t bytes; (bytes = fread(text, 1, sizeof text, stdin)) != 0;)
            fwrite(text, 1, bytes, stdout);
        return 0;
    }
    if (strcmp(path, "/endless") == 0) {
        static char text[4096];
        memset(text, 'x', sizeof text);
        printf("Content-Type: text/plain\n\n");
        while (fwrite(text, 1, sizeof text, stdout) == sizeof text) {
        }
        return 0;
    }
    if (strcmp(path, "/log") == 0) fprintf(stderr, "one\033[31m\ntwo\n");
    printf("Content-Type: text/plain\n\n%s %s %s %d %s\n", getenv("REQUEST_METHOD"), path,
        getenv("QUERY_STRING"), ++answers, getenv("GREETING") ? getenv("GREETING") : VERSION);
    return 0;
}
