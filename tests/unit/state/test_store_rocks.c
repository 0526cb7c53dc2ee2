/*
 * What only the store on disk can do wrong: lose the order of writes when the process is killed, be
 * opened twice, meet damaged files, and find no room. And how it goes on afterwards.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "places.h"

/* ---- kill -9 ------------------------------------------------------------------------------- */

/*
 * Write number n sets row n (with a value of some size), the common row to n, deletes row n - 10,
 * and says position n (as large, so that either may fill a memtable). Some are followed by a flush.
 */
enum { ROW_SPAN = 10, PADDING_MAX = 8000, WRITES_PER_MARK = 100 };

static struct bytes row_key(char key[24], uint64_t n)
{
    return bytes_of(key, (size_t)snprintf(key, 24, "\1row-%010" PRIu64, n));
}

/* It does not compress. */
static void fill_with_noise(char *to, size_t size, uint64_t seed)
{
    struct prng prng = prng_of_seed(seed);
    for (size_t i = 0; i + sizeof(uint64_t) <= size; i += sizeof(uint64_t)) {
        const uint64_t word = prng_next(&prng);
        memcpy(to + i, &word, sizeof word);
    }
}

static enum status write_number(struct store_partition *partition, uint64_t n, size_t padding,
                                struct error *err)
{
    static char value[32 + PADDING_MAX];
    char key[24], old_key[24];
    fill_with_noise(value, sizeof value, n);
    const size_t size = (size_t)snprintf(value, 32, "%" PRIu64, n);
    struct store_row rows[3] = { { BYTES_LITERAL("\1common"), bytes_of(value, size) } };
    size_t count = 1;
    if (n > ROW_SPAN)
        rows[count++] = (struct store_row){ row_key(old_key, n - ROW_SPAN), BYTES_NONE };
    rows[count++] = (struct store_row){ row_key(key, n), bytes_of(value, size + padding) };
    return partition->type->write(partition, rows, count, bytes_of(value, size + padding), err);
}

/* Says something every WRITES_PER_MARK writes. */
static void write_until_killed(const char *directory, uint64_t seed, int marks)
{
    struct prng prng = prng_of_seed(seed);
    struct store *store = NULL;
    struct store_partition *partition = NULL;
    const struct store_rocks_options options = { directory, 1 << 20, 1 << 20, 0 };
    if (store_open_rocks(&store, &options, NULL) != ST_OK ||
        store->type->partition_open(store, &partition, "t-0", NULL) != ST_OK)
        _exit(1);
    struct buffer position;
    buffer_init(&position);
    if (partition->type->position(partition, &position, NULL) != ST_OK)
        _exit(1);
    for (uint64_t n = position.size == 0 ? 1 : strtoull(buffer_text(&position), NULL, 10) + 1;;
         n++) {
        if (write_number(partition, n, (size_t)prng_below(&prng, PADDING_MAX), NULL) != ST_OK)
            _exit(1);
        if (prng_chance(&prng, 1, 300) && partition->type->flush(partition, NULL) != ST_OK)
            _exit(1);
        if (n % WRITES_PER_MARK == 0 && write(marks, "!", 1) != 1)
            _exit(1);
    }
}

static void run_and_kill(const char *directory, struct prng *prng)
{
    int marks[2];
    cr_assert_eq(pipe(marks), 0);
    const uint64_t seed = prng_next(prng);
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0)
        write_until_killed(directory, seed, marks[1]);
    char mark;
    ssize_t got = 1;
    close(marks[1]);
    for (uint64_t wanted = 1 + prng_below(prng, 12); got == 1 && wanted > 0; wanted--)
        got = read(marks[0], &mark, 1);
    usleep((useconds_t)prng_below(prng, 20000));
    kill(child, SIGKILL);
    int how;
    cr_assert_eq(waitpid(child, &how, 0), child);
    close(marks[0]);
    cr_assert(got == 1 && WIFSIGNALED(how), "the child ended by itself: seed=%" PRIu64, seed);
}

struct prefix_check {
    uint64_t n; /* the position */
    uint64_t next;
    uint64_t common;
    char problem[100];
};

static bool check_prefix_row(void *context, struct bytes key, struct bytes value)
{
    struct prefix_check *check = context;
    char text[32] = { 0 }, expected[24];
    memcpy(text, value.data, value.size < sizeof text ? value.size : sizeof text - 1);
    const uint64_t number = strtoull(text, NULL, 10);
    if (bytes_equal(key, BYTES_LITERAL("\1common"))) {
        check->common = number;
        return true;
    }
    if (!bytes_equal(key, row_key(expected, check->next)) || number != check->next) {
        snprintf(check->problem, sizeof check->problem, "row %" PRIu64 " is wrong", check->next);
        return false;
    }
    check->next++;
    return true;
}

/* The store must hold exactly the writes 1..n, where n is its position. */
static void check_prefix(const char *directory, struct prefix_check *check)
{
    const struct store_rocks_options options = { directory, 1 << 20, 1 << 20, 0 };
    struct store *store = NULL;
    struct store_partition *partition = NULL;
    struct buffer position;
    *check = (struct prefix_check){ .problem = "it cannot be read" };
    buffer_init(&position);
    if (store_open_rocks(&store, &options, NULL) != ST_OK ||
        store->type->partition_open(store, &partition, "t-0", NULL) != ST_OK ||
        partition->type->position(partition, &position, NULL) != ST_OK)
        return;
    check->problem[0] = '\0';
    check->n = position.size == 0 ? 0 : strtoull(buffer_text(&position), NULL, 10);
    check->next = check->n >= ROW_SPAN ? check->n - ROW_SPAN + 1 : 1;
    if (partition->type->scan(partition, BYTES_NONE, BYTES_NONE, check_prefix_row, check, NULL) !=
        ST_OK)
        snprintf(check->problem, sizeof check->problem, "it cannot be scanned");
    buffer_fini(&position);
    store->type->partition_close(partition);
    store_close(&store);
}

/*
 * In a process of its own, too: once a process has used RocksDB, its children believe that they
 * have the background threads which they have not.
 */
static uint64_t require_prefix(const char *directory)
{
    struct prefix_check check = { 0 };
    int result[2];
    cr_assert_eq(pipe(result), 0);
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        check_prefix(directory, &check);
        _exit(write(result[1], &check, sizeof check) == (ssize_t)sizeof check ? 0 : 1);
    }
    close(result[1]);
    cr_assert_eq(read(result[0], &check, sizeof check), (ssize_t)sizeof check);
    close(result[0]);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_str_empty(check.problem, "position %" PRIu64 ": %s", check.n, check.problem);
    cr_assert_eq(check.next, check.n + 1, "position %" PRIu64 ", rows end before %" PRIu64, check.n,
                 check.next);
    cr_assert_eq(check.common, check.n, "position %" PRIu64 ", common row %" PRIu64, check.n,
                 check.common);
    return check.n;
}

Test(store_rocks, a_killed_process_leaves_a_prefix_of_its_writes, .timeout = 300)
{
    struct prng prng = prng_from_env("TEST_SEED", 11);
    char directory[64];
    uint64_t before = 0;
    int progress = 0;
    place_make_directory(directory);
    for (int round = 0; round < 12; round++) {
        run_and_kill(directory, &prng);
        const uint64_t n = require_prefix(directory);
        cr_assert_geq(n, before);
        progress += n > before;
        before = n;
    }
    /* Otherwise nothing was tested: every kill came before the first flush. */
    cr_assert_gt(progress, 3, "TEST_SEED=%" PRIu64 " n=%" PRIu64, prng.seed, before);
    place_remove_directory(directory);
}

static void write_flush_and_die(const char *directory)
{
    struct store *store = place_open_rocks(directory);
    struct store_partition *partition = NULL;
    if (store->type->partition_open(store, &partition, "t-0", NULL) != ST_OK)
        _exit(1);
    for (uint64_t n = 1; n <= 30; n++)
        if (write_number(partition, n, 10, NULL) != ST_OK)
            _exit(1);
    if (partition->type->flush(partition, NULL) != ST_OK)
        _exit(1);
    kill(getpid(), SIGKILL);
}

Test(store_rocks, what_was_flushed_survives_a_kill)
{
    char directory[64];
    place_make_directory(directory);
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0)
        write_flush_and_die(directory);
    int how;
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_assert(WIFSIGNALED(how));
    cr_assert_eq(require_prefix(directory), 30);
    place_remove_directory(directory);
}

/* ---- opening ------------------------------------------------------------------------------- */

Test(store_rocks, a_second_process_is_refused_by_name)
{
    char directory[64], expected[64], host[65] = { 0 };
    struct error err = { 0 };
    place_make_directory(directory);
    struct store *store = place_open_rocks(directory), *second = NULL;
    const struct store_rocks_options options = { directory, 1 << 20, 1 << 20, 0 };
    cr_assert_eq(store_open_rocks(&second, &options, &err), ST_REFUSED);
    snprintf(expected, sizeof expected, "process %ld", (long)getpid());
    gethostname(host, sizeof host - 1);
    cr_assert_not_null(strstr(err.text, expected), "%s", err.text);
    cr_assert_not_null(strstr(err.text, host), "%s", err.text);
    cr_assert_not_null(strstr(err.text, directory), "%s", err.text);
    cr_assert_null(second);
    store_close(&store);

    second = place_open_rocks(directory);
    store_close(&second);
    place_remove_directory(directory);
}

Test(store_rocks, makes_missing_directories)
{
    char directory[64], deep[96];
    place_make_directory(directory);
    snprintf(deep, sizeof deep, "%s/a/b/c", directory);
    struct store *store = place_open_rocks(deep);
    store_close(&store);
    snprintf(deep, sizeof deep, "%s/a//b/c/", directory);
    store = place_open_rocks(deep);
    store_close(&store);
    place_remove_directory(directory);
}

Test(store_rocks, says_why_a_directory_cannot_be_made)
{
    struct store *store = NULL;
    struct error err = { 0 };
    const struct store_rocks_options options = { "/proc/weir/state", 1 << 20, 1 << 20, 0 };
    cr_assert_eq(store_open_rocks(&store, &options, &err), ST_IO_FAILED);
    cr_assert_not_null(strstr(err.text, "/proc/weir"), "%s", err.text);
}

/* ---- damage -------------------------------------------------------------------------------- */

static void fill(struct store_partition *partition, uint64_t count)
{
    for (uint64_t n = 1; n <= count; n++)
        cr_assert_eq(write_number(partition, n, 100, NULL), ST_OK);
}

/* Overwrites the middle of every file that the pattern names. */
static void damage(const char *directory, const char *pattern)
{
    char path[128];
    glob_t found;
    snprintf(path, sizeof path, "%s/rocks/%s", directory, pattern);
    cr_assert_eq(glob(path, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const int fd = open(found.gl_pathv[i], O_RDWR);
        struct stat info;
        cr_assert_eq(fstat(fd, &info), 0);
        static const char noise[64] = "noise noise noise noise noise noise noise noise";
        cr_assert_eq(pwrite(fd, noise, sizeof noise, info.st_size / 3), (ssize_t)sizeof noise);
        close(fd);
    }
    globfree(&found);
}

static bool count_row(void *context, struct bytes key, struct bytes value)
{
    (void)key;
    (void)value;
    ++*(int *)context;
    return true;
}

Test(store_rocks, damaged_rows_are_corrupt)
{
    struct place place;
    struct error err = { 0 };
    int rows = 0;
    place_open(&place, true);
    fill(place.partition, 100);
    cr_assert_eq(place.partition->type->flush(place.partition, NULL), ST_OK);
    damage(place.directory, "*.sst");
    place_reopen(&place);
    cr_assert_eq(place.partition->type->scan(place.partition, BYTES_NONE, BYTES_NONE, count_row,
                                             &rows, &err),
                 ST_CORRUPT, "%s", err.text);
    cr_assert_not_null(strstr(err.text, "orruption"), "%s", err.text);
    place_close(&place);
}

static bool exists(const char *directory, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return access(path, F_OK) == 0;
}

static size_t count_rows(struct store_partition *partition)
{
    int rows = 0;
    cr_assert_eq(partition->type->scan(partition, BYTES_NONE, BYTES_NONE, count_row, &rows, NULL),
                 ST_OK);
    return (size_t)rows;
}

/* Twice: the second one replaces what the first one left aside. */
Test(store_rocks, a_database_that_cannot_be_read_is_moved_aside)
{
    struct place place;
    place_open(&place, true);
    for (int round = 0; round < 2; round++) {
        fill(place.partition, 100);
        place.store->type->partition_close(place.partition);
        store_close(&place.store);
        damage(place.directory, "MANIFEST-*");
        place.partition = NULL;
        place.store = place_open_rocks(place.directory);
        cr_assert(exists(place.directory, "unreadable/CURRENT"));
        cr_assert_eq(place.store->type->partition_open(place.store, &place.partition, "t-0", NULL),
                     ST_OK);
        cr_assert_eq(count_rows(place.partition), 0);
    }
    place_close(&place);
}

Test(store_rocks, a_database_without_its_manifest_is_moved_aside)
{
    struct place place;
    place_open(&place, true);
    fill(place.partition, 100);
    place.store->type->partition_close(place.partition);
    store_close(&place.store);
    char pattern[128];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/rocks/MANIFEST-*", place.directory);
    cr_assert_eq(glob(pattern, 0, NULL, &found), 0);
    cr_assert_eq(unlink(found.gl_pathv[0]), 0);
    globfree(&found);
    place.partition = NULL;
    place.store = place_open_rocks(place.directory);
    cr_assert(exists(place.directory, "unreadable/CURRENT"));
    cr_assert_eq(place.store->type->partition_open(place.store, &place.partition, "t-0", NULL),
                 ST_OK);
    place_close(&place);
}

/* RocksDB refuses every write after a compaction of any family met a damaged file. */
Test(store_rocks, a_damaged_file_costs_only_its_own_partition)
{
    struct place place;
    struct error err = { 0 };
    struct store_partition *other = NULL;
    place_open(&place, true);
    for (int i = 0; i < 3; i++) {
        fill(place.partition, 100);
        cr_assert_eq(place.partition->type->flush(place.partition, NULL), ST_OK);
    }
    damage(place.directory, "*.sst");
    place_reopen(&place);
    const struct store_type *type = place.store->type;
    cr_assert_eq(type->partition_open(place.store, &other, "t-1", NULL), ST_OK);
    fill(other, 10);
    enum status st = type->flush(other, NULL);
    cr_assert_eq(st, ST_OK);
    fill(place.partition, 100);
    const enum status flushed = type->flush(place.partition, NULL); /* the fourth: it is compacted */
    cr_assert(flushed == ST_OK || flushed == ST_CORRUPT, "%s", status_name(flushed));
    for (uint64_t n = 11; st == ST_OK && n < 2000; n++) {
        st = write_number(other, n, 0, &err);
        usleep(1000);
    }
    cr_assert_eq(st, ST_IO_FAILED, "%s", err.text);
    type->partition_close(other);
    type->partition_close(place.partition);

    other = place.partition = NULL;
    cr_assert_eq(type->partition_open(place.store, &other, "t-1", NULL), ST_OK);
    cr_assert_geq(count_rows(other), 10);
    cr_assert_eq(type->partition_open(place.store, &place.partition, "t-0", NULL), ST_OK);
    struct buffer position;
    buffer_init(&position);
    cr_assert_eq(type->position(place.partition, &position, &err), ST_CORRUPT, "%s", err.text);
    cr_assert_eq(type->partition_drop(place.partition, &err), ST_OK, "%s", err.text);
    cr_assert_eq(type->position(place.partition, &position, &err), ST_OK, "%s", err.text);
    cr_assert_eq(position.size, 0);
    fill(place.partition, 10);
    buffer_fini(&position);
    type->partition_close(other);
    place_close(&place);
}

Test(store_rocks, a_partition_is_open_once)
{
    struct place place;
    struct store_partition *second = NULL;
    place_open(&place, true);
    cr_assert_eq(place.store->type->partition_open(place.store, &second, "t-0", NULL),
                 ST_LOCAL_BUSY);
    place_close(&place);
}

/* ---- no room ------------------------------------------------------------------------------- */

enum { SOME_NOISE = 2000, NO_END = 100000 }; /* 8 MB, and more than any of the disks holds */

static enum status write_noise(struct store_partition *partition, uint64_t count, struct error *err)
{
    for (uint64_t n = 1; n < count; n++) {
        char key[24], noise[PADDING_MAX];
        fill_with_noise(noise, sizeof noise, n);
        const struct store_row row = { row_key(key, n), bytes_of(noise, sizeof noise) };
        TRY(partition->type->write(partition, &row, 1, BYTES_NONE, err));
    }
    return partition->type->flush(partition, err);
}

static enum status fill_disk(const char *directory, struct error *err)
{
    struct store *store = NULL;
    struct store_partition *partition = NULL;
    const struct store_rocks_options options = { directory, 1 << 20, 1 << 20, 0 };
    TRY(store_open_rocks(&store, &options, err));
    TRY(store->type->partition_open(store, &partition, "t-0", err));
    const enum status st = write_noise(partition, NO_END, err);
    partition->type->partition_close(partition);
    store_close(&store);
    return st;
}

struct two_partitions {
    struct store *store;
    struct store_partition *full, *other;
};

/* The other partition has rows 1 to 9 on the disk and 10 in memory. */
static enum status open_two(struct two_partitions *two, const char *directory, struct error *err)
{
    const struct store_rocks_options options = { directory, 1 << 20, 1 << 20, 0 };
    *two = (struct two_partitions){ 0 };
    TRY(store_open_rocks(&two->store, &options, err));
    const struct store_type *type = two->store->type;
    TRY(type->partition_open(two->store, &two->full, "t-0", err));
    TRY(type->partition_open(two->store, &two->other, "t-1", err));
    fill(two->other, 9);
    TRY(type->flush(two->other, err));
    return write_number(two->other, 10, 0, err);
}

static void close_two(struct two_partitions *two)
{
    two->store->type->partition_close(two->full);
    two->store->type->partition_close(two->other);
    store_close(&two->store);
}

static enum status open_again(struct two_partitions *two, struct store_partition **partition,
                              const char *name, struct error *err)
{
    if (*partition != NULL)
        two->store->type->partition_close(*partition);
    *partition = NULL;
    return two->store->type->partition_open(two->store, partition, name, err);
}

static enum status expect_rows(struct store_partition *partition, uint64_t least, uint64_t most,
                               struct error *err)
{
    AUTO(buffer_fini) struct buffer value;
    buffer_init(&value);
    TRY(partition->type->position(partition, &value, err));
    const uint64_t last = strtoull(buffer_text(&value), NULL, 10);
    if (last < least || last > most || count_rows(partition) != last + 1)
        return FAIL(err, ST_INVALID, "the other partition holds another number of rows: %" PRIu64, last);
    return ST_OK;
}

/* Nobody meets the end of the disk: room is looked for, and what is in memory stays. */
static enum status fill_disk_and_go_on(const char *directory, struct error *err)
{
    struct two_partitions two;
    char ballast[96];
    snprintf(ballast, sizeof ballast, "%s/ballast", directory);
    const int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
    if (fd < 0 || posix_fallocate(fd, 0, 44 << 20) != 0)
        return FAIL(err, ST_INVALID, "no ballast");
    close(fd);
    TRY(open_two(&two, directory, err));
    if (write_noise(two.full, NO_END, err) != ST_DISK_FULL)
        return FAIL(err, ST_INVALID, "the disk is not full");
    if (strstr(err->text, "No space left on device") == NULL)
        return FAIL(err, ST_INVALID, "it does not say what is wrong");
    if (open_again(&two, &two.full, "t-0", err) != ST_DISK_FULL)
        return FAIL(err, ST_INVALID, "a partition was opened that cannot be written to");
    TRY(expect_rows(two.other, 10, 10, err));
    unlink(ballast);
    TRY(open_again(&two, &two.full, "t-0", err));
    TRY(write_noise(two.full, SOME_NOISE, err));
    TRY(two.other->type->flush(two.other, err));
    TRY(expect_rows(two.other, 10, 10, err));
    close_two(&two);
    return ST_OK;
}

/* SIGTERM while the disk is full. */
static enum status fill_disk_and_end(const char *directory, struct error *err)
{
    struct two_partitions two;
    TRY(open_two(&two, directory, err));
    if (write_noise(two.full, NO_END, err) != ST_DISK_FULL)
        return FAIL(err, ST_INVALID, "the disk is not full");
    close_two(&two);
    return ST_OK;
}

/*
 * A write of RocksDB's own fails: what was flushed is there afterwards, what was not is gone (number 10 may have been
 * flushed by RocksDB), and neither partition could be used in between.
 */
static enum status fail_to_write_and_go_on(const char *directory, struct error *err)
{
    const struct rlimit small = { .rlim_cur = 300 << 10, .rlim_max = RLIM_INFINITY };
    const struct rlimit large = { .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };
    struct two_partitions two;
    TRY(open_two(&two, directory, err));
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    if (write_noise(two.full, NO_END, err) != ST_IO_FAILED)
        return FAIL(err, ST_INVALID, "files are not too large");
    bool found;
    AUTO(buffer_fini) struct buffer value;
    buffer_init(&value);
    char key[24];
    if (two.other->type->get(two.other, row_key(key, 1), &value, &found, err) != ST_IO_FAILED)
        return FAIL(err, ST_INVALID, "the other partition can be used");
    setrlimit(RLIMIT_FSIZE, &large);
    TRY(open_again(&two, &two.full, "t-0", err));
    TRY(write_noise(two.full, SOME_NOISE, err));
    if (two.other->type->get(two.other, row_key(key, 1), &value, &found, err) != ST_IO_FAILED)
        return FAIL(err, ST_INVALID, "the other partition did not notice");
    TRY(open_again(&two, &two.other, "t-1", err));
    TRY(expect_rows(two.other, 9, 10, err));
    close_two(&two);
    return ST_OK;
}

/* Exit code: the status; 255: this machine does not let us mount. */
static void on_small_disk(const char *directory, const char *size,
                          enum status (*what)(const char *, struct error *))
{
    struct error err = { 0 };
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", directory, "tmpfs", 0, size) != 0)
        _exit(255);
    const enum status status = what(directory, &err);
    fprintf(stderr, "%s: %s\n", status_name(status), err.text);
    _exit((int)status);
}

static void expect_on_small_disk(const char *size, enum status expected,
                                 enum status (*what)(const char *, struct error *))
{
    char directory[64];
    int how;
    place_make_directory(directory);
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0)
        on_small_disk(directory, size, what);
    cr_assert_eq(waitpid(child, &how, 0), child);
    place_remove_directory(directory);
    cr_assert(WIFEXITED(how));
    if (WEXITSTATUS(how) == 255)
        cr_skip_test("needs the right to mount");
    cr_assert_eq(WEXITSTATUS(how), expected);
}

Test(store_rocks, a_full_disk_has_its_own_status)
{
    expect_on_small_disk("size=32m", ST_DISK_FULL, fill_disk);
    expect_on_small_disk("size=3m", ST_DISK_FULL, fill_disk); /* too small to begin */
}

Test(store_rocks, ends_cleanly_on_a_full_disk)
{
    expect_on_small_disk("size=32m", ST_OK, fill_disk_and_end);
}

Test(store_rocks, goes_on_when_there_is_room_again)
{
    expect_on_small_disk("size=64m", ST_OK, fill_disk_and_go_on);
}

Test(store_rocks, goes_on_from_what_was_flushed_after_a_write_failed)
{
    expect_on_small_disk("size=64m", ST_OK, fail_to_write_and_go_on);
}

/* A log that cannot be written to is enough for a RocksDB with assertions to end the process. */
Test(store_rocks, writes_no_log_of_its_own)
{
    char directory[64], log[96];
    struct two_partitions two;
    struct stat found;
    place_make_directory(directory);
    cr_assert_eq(open_two(&two, directory, NULL), ST_OK);
    cr_assert_eq(two.full->type->partition_drop(two.full, NULL), ST_OK);
    close_two(&two);
    snprintf(log, sizeof log, "%s/rocks/LOG", directory);
    cr_assert(stat(log, &found) != 0 || found.st_size == 0, "%ld bytes", (long)found.st_size);
    place_remove_directory(directory);
}
