// A program that prepares itself: which numbers are prime, in memory of the heap.
// `wizer.initialize` prepares it, main does when nobody has. Prints how many primes there are up to
// its argument, how often it was prepared and restored, and sixteen random bytes, whose generator
// wrun_restored seeds again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { limit = 1 << 20 };

static unsigned char* composite;
static char* name;
static int prepared, restored;
static unsigned long long state;

__attribute__((export_name("wizer.initialize"))) void prepare(void) {
    ++prepared;
    state = 1;
    composite = calloc(limit, 1);
    name = strdup("primes");
    for (unsigned i = 2; i < limit; ++i)
        for (unsigned j = composite[i] ? limit : 2 * i; j < limit; j += i)
            composite[j] = 1;
}

__attribute__((export_name("wrun_restored"))) void restore(void) {
    ++restored;
    if (getentropy(&state, sizeof state) != 0) abort();
    state |= 1;
}

__attribute__((export_name("count"))) int count(int end) {
    int found = 0;
    for (int i = 2; i < end && i < limit; ++i)
        found += !composite[i];
    return found;
}

static unsigned char draw(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned char)(state >> 32);
}

int main(int argc, char** argv) {
    if (!prepared) prepare();
    int end = argc > 1 ? atoi(argv[1]) : limit;
    printf("%s %d prepared %d restored %d ", name, count(end), prepared, restored);
    for (int i = 0; i < 16; ++i)
        printf("%02x", draw());
    printf("\n");
    free(name);
    free(composite);
    return 0;
}
