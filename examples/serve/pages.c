/* A CGI handler with files: GET /pages/about answers what the folder mounted at / has as about.txt.
 * It sees no other file of the host's, whatever it opens. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int answer_not_found(void) {
    printf("Status: 404 Not Found\nContent-Type: text/plain\n\nno such page\n");
    return EXIT_SUCCESS;
}

int main(void) {
    char path[256];
    char bytes[4096];
    const char* page = getenv("PATH_INFO"); /* what follows the route's /pages */
    if (page == NULL || strlen(page) < 2) page = "/index";
    if (snprintf(path, sizeof path, "%s.txt", page) >= (int)sizeof path) return answer_not_found();
    FILE* file = fopen(path, "rb");
    if (file == NULL) return answer_not_found();
    printf("Content-Type: text/plain; charset=utf-8\n\n");
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, file)) != 0;)
        fwrite(bytes, 1, got, stdout);
    return ferror(file) == 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
