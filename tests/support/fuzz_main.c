/*
 * fuzz_main: runs a libFuzzer target without libFuzzer, so that the gate replays every corpus under
 * gcc's sanitizers. `fuzz_x [--mutations N] [--seed S] PATH...`: each PATH (file or folder) is
 * replayed, then N inputs made from them by flipping, cutting and repeating bytes.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUTS_MAX = 4096, MUTATIONS_DEFAULT = 20000, EDITS_MAX = 8, PATH_SIZE = 4096 };

struct input {
    uint8_t *data;
    size_t size;
};

static struct input inputs[INPUTS_MAX];
static size_t input_count;
static uint64_t random_state = 20261;

/* xorshift64*: a run must be repeatable from its seed alone. */
static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return ((random_state * UINT64_C(0x2545F4914F6CDD1D)) >> 11) % bound;
}

/* A copy of exactly the input's size, so that a read past its end is a read past the block. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void add_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || input_count == INPUTS_MAX) {
        fprintf(stderr, "cannot use %s\n", path);
        exit(2);
    }
    struct input *input = &inputs[input_count++];
    size_t capacity = 4096;
    input->data = malloc(capacity);
    for (size_t got = 1; input->data != NULL && got > 0;) {
        if (input->size == capacity)
            input->data = realloc(input->data, capacity *= 2);
        if (input->data == NULL)
            break;
        got = fread(input->data + input->size, 1, capacity - input->size, file);
        input->size += got;
    }
    if (input->data == NULL)
        abort();
    fclose(file);
}

static void add_path(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return; /* no corpus yet: the empty input still runs */
    if (!S_ISDIR(info.st_mode)) {
        add_file(path);
        return;
    }
    struct dirent **names = NULL;
    const int count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char name[PATH_SIZE];
        snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            add_file(name);
        free(names[i]);
    }
    free(names);
}

static size_t edit(uint8_t *data, size_t size, size_t capacity)
{
    const size_t at = size == 0 ? 0 : (size_t)random_below(size);
    switch (random_below(5)) {
    case 0: /* cut the end off */
        return at;
    case 1: /* take a byte out */
        if (size > 0)
            memmove(data + at, data + at + 1, size - at - 1);
        return size == 0 ? 0 : size - 1;
    case 2: /* put a byte in */
        if (size == capacity)
            return size;
        memmove(data + at + 1, data + at, size - at);
        data[at] = (uint8_t)random_below(256);
        return size + 1;
    case 3: /* flip a bit */
        if (size > 0)
            data[at] ^= (uint8_t)(1U << random_below(8));
        return size;
    default: /* a byte that parsers care about */
        if (size > 0)
            data[at] = (uint8_t) "\x00\xff\x7f\x80{}[]\",:0-\n\\x"[random_below(16)];
        return size;
    }
}

static void run_mutation(void)
{
    const struct input none = { NULL, 0 };
    const struct input *from = input_count == 0 ? &none : &inputs[random_below(input_count)];
    const size_t capacity = from->size + EDITS_MAX;
    uint8_t *data = malloc(capacity);
    if (data == NULL)
        abort();
    if (from->size > 0)
        memcpy(data, from->data, from->size);
    size_t size = from->size;
    for (uint64_t left = 1 + random_below(EDITS_MAX); left > 0; left--)
        size = edit(data, size, capacity);
    run(data, size);
    free(data);
}

int main(int argc, char **argv)
{
    long mutations = MUTATIONS_DEFAULT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--mutations") == 0 && i + 1 < argc)
            mutations = strtol(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            random_state = strtoull(argv[++i], NULL, 10) | 1;
        else
            add_path(argv[i]);
    }
    printf("%zu inputs, %ld mutations, seed %" PRIu64 "\n", input_count, mutations, random_state);
    fflush(stdout);
    run((const uint8_t *)"", 0);
    for (size_t i = 0; i < input_count; i++)
        run(inputs[i].data, inputs[i].size);
    for (long i = 0; i < mutations; i++)
        run_mutation();
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].data);
    return 0;
}
