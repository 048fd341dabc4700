// A walk through what wasi-libc asks of preview 1: files, folders, times, links, streams. Every
// line that is not as POSIX says ends the program; the last one prints "done". Run with /data
// granted, NAME=value, one argument, and one line to read.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #condition, strerror(errno)); \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)
#define FAILS(call, error) CHECK((errno = 0, (call) == -1) && errno == (error))

static void streams(int argc, char** argv) {
    CHECK(argc == 2 && strcmp(argv[1], "one") == 0);
    CHECK(strcmp(getenv("NAME"), "value") == 0 && getenv("PATH") == NULL);
    CHECK(!isatty(0) && !isatty(1));
    char line[16];
    CHECK(fgets(line, sizeof line, stdin) && strcmp(line, "line\n") == 0);
    CHECK(fgets(line, sizeof line, stdin) == NULL && feof(stdin));
    FAILS(lseek(1, 0, SEEK_CUR), ESPIPE);
    FAILS(close(77), EBADF);
}

static void contents(void) {
    FILE* file = fopen("/data/file", "w+x");
    CHECK(file && fprintf(file, "%d %s\n", 42, "text") == 8 && fflush(file) == 0);
    CHECK(fseek(file, 3, SEEK_SET) == 0 && fgetc(file) == 't' && ftell(file) == 4);
    CHECK(fclose(file) == 0 && fopen("/data/file", "wx") == NULL && errno == EEXIST);

    int fd = open("/data/file", O_RDONLY);
    char buffer[16];
    CHECK(fd > 2 && pread(fd, buffer, sizeof buffer, 3) == 5 && memcmp(buffer, "text\n", 5) == 0);
    FAILS(write(fd, "x", 1), EBADF);
    CHECK(close(fd) == 0);

    fd = open("/data/file", O_WRONLY | O_APPEND);
    CHECK(write(fd, "more", 4) == 4 && ftruncate(fd, 10) == 0 && fsync(fd) == 0 && close(fd) == 0);
    struct stat status;
    CHECK(stat("/data/file", &status) == 0 && status.st_size == 10 && S_ISREG(status.st_mode) &&
          status.st_nlink == 1);
    CHECK(
        truncate("/data/file", 0) == 0 && stat("/data/file", &status) == 0 && status.st_size == 0);
    struct timespec times[2] = {{1, 2}, {3, 4}};
    CHECK(utimensat(AT_FDCWD, "/data/file", times, 0) == 0 && stat("/data/file", &status) == 0);
    CHECK(status.st_atim.tv_sec == 1 && status.st_mtim.tv_sec == 3 && status.st_mtim.tv_nsec == 4);
}

static int count(const char* path) {
    DIR* directory = opendir(path);
    CHECK(directory);
    int entries = 0;
    while (readdir(directory))
        ++entries;
    CHECK(closedir(directory) == 0);
    return entries;
}

static void names(void) {
    CHECK(mkdir("/data/folder", 0777) == 0);
    FAILS(mkdir("/data/folder", 0777), EEXIST);
    for (int number = 0; number < 500; ++number) {
        char name[64];
        snprintf(name, sizeof name, "/data/folder/a-rather-long-name-%d", number);
        CHECK(close(open(name, O_CREAT | O_WRONLY, 0666)) == 0);
    }
    CHECK(count("/data/folder") == 502);
    FAILS(rmdir("/data/folder"), ENOTEMPTY);
    for (int number = 0; number < 500; ++number) {
        char name[64];
        snprintf(name, sizeof name, "/data/folder/a-rather-long-name-%d", number);
        CHECK(unlink(name) == 0);
    }
    CHECK(rename("/data/file", "/data/folder/file") == 0 && access("/data/file", F_OK) == -1);
    CHECK(link("/data/folder/file", "/data/second") == 0 &&
          symlink("folder/file", "/data/link") == 0);
    struct stat status;
    CHECK(lstat("/data/link", &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(stat("/data/link", &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 2);
    char text[32];
    CHECK(readlink("/data/link", text, sizeof text) == 11 && memcmp(text, "folder/file", 11) == 0);
    FAILS(unlink("/data/folder"), EISDIR);
    FAILS(rmdir("/data/second"), ENOTDIR);
    CHECK(unlink("/data/link") == 0 && unlink("/data/second") == 0 &&
          unlink("/data/folder/file") == 0);
    CHECK(rmdir("/data/folder") == 0 && count("/data") == 2);
}

static void outside(void) {
    CHECK(open("/etc/passwd", O_RDONLY) == -1);
    CHECK(open("/data/../etc/passwd", O_RDONLY) == -1);
    CHECK(symlink("../../../etc/passwd", "/data/out") == 0);
    CHECK(open("/data/out", O_RDONLY) == -1 && unlink("/data/out") == 0);
    CHECK(symlink("/etc/passwd", "/data/out") == -1);
}

static void times(void) {
    struct timespec before, after, pause = {0, 20000000};
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0 && nanosleep(&pause, NULL) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    CHECK(
        (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec >= 20000000);
    CHECK(time(NULL) > 1700000000);
    struct pollfd output = {1, POLLOUT, 0};
    CHECK(poll(&output, 1, 1000) == 1 && output.revents == POLLOUT);
}

int main(int argc, char** argv) {
    streams(argc, argv);
    contents();
    names();
    outside();
    times();
    puts("done");
    return 0;
}
