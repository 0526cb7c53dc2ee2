#include "processor/cli/crash_ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"

enum { TOPIC_SIZE = 256, TOPICS_MAX = 256, WORKERS_MAX = 256 };

static const uint64_t region_magic = UINT64_C(0x77656972686e6431);

/* The file in-hand-N. */
struct region {
    uint64_t magic;
    struct in_hand hand;
    uint32_t topic_count;
    char topics[TOPICS_MAX][TOPIC_SIZE];
};

struct death {
    char topic[TOPIC_SIZE];
    int32_t partition;
    int64_t offset;
    int count;
};

struct crash_ledger {
    char *directory;
    const struct topics *topics;
    pthread_mutex_t lock;
    struct death deaths[CRASH_SUSPECTS_MAX]; /* the newest first */
    size_t death_count;
    struct region *regions[WORKERS_MAX];
};

/* --- files ------------------------------------------------------------------------------------------------------ */

static enum status failed(struct error *err, const char *path)
{
    return FAIL(err, errno == ENOSPC ? ST_DISK_FULL : ST_IO_FAILED, "%s: %s", path, strerror(errno));
}

/* All of it or nothing, whenever the process dies. */
static enum status replace_file(const char *path, struct bytes text, struct error *err)
{
    AUTO(mem_auto_free) char *temporary = mem_format("%s.new", path);
    FILE *file = fopen(temporary, "w");
    if (file == NULL)
        return failed(err, temporary);
    const bool written = fwrite(text.data, 1, text.size, file) == text.size && fflush(file) == 0 && fsync(fileno(file)) == 0;
    const int why = errno;
    if (fclose(file) != 0 || !written || rename(temporary, path) != 0) {
        errno = written ? errno : why;
        return failed(err, path);
    }
    return ST_OK;
}

/* --- deaths ------------------------------------------------------------------------------------------------------ */

static enum status read_deaths(struct crash_ledger *ledger, struct error *err)
{
    AUTO(mem_auto_free) char *path = mem_format("%s/deaths", ledger->directory);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return errno == ENOENT ? ST_OK : failed(err, path);
    struct death death;
    while (ledger->death_count < CRASH_SUSPECTS_MAX &&
           fscanf(file, "%d %255s %" SCNd32 " %" SCNd64, &death.count, death.topic, &death.partition, &death.offset) == 4)
        ledger->deaths[ledger->death_count++] = death;
    fclose(file);
    return ST_OK;
}

static enum status write_deaths(const struct crash_ledger *ledger, struct error *err)
{
    struct buffer text;
    buffer_init(&text);
    for (size_t i = 0; i < ledger->death_count; i++) {
        const struct death *death = &ledger->deaths[i];
        buffer_printf(&text, "%d %s %" PRId32 " %" PRId64 "\n", death->count, death->topic, death->partition, death->offset);
    }
    AUTO(mem_auto_free) char *path = mem_format("%s/deaths", ledger->directory);
    const enum status st = replace_file(path, buffer_view(&text), err);
    buffer_fini(&text);
    return st;
}

static bool is_same(const struct death *a, const struct death *b)
{
    return a->offset == b->offset && a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

/* One death more, and the record to the front; the one that was longest not seen is forgotten when there are too many. */
static struct death *count_death(struct crash_ledger *ledger, const struct death *seen)
{
    size_t at = 0;
    while (at < ledger->death_count && !is_same(&ledger->deaths[at], seen))
        at++;
    const int before = at < ledger->death_count ? ledger->deaths[at].count : 0;
    if (at == CRASH_SUSPECTS_MAX)
        at--;
    if (at == ledger->death_count)
        ledger->death_count++;
    memmove(&ledger->deaths[1], &ledger->deaths[0], at * sizeof ledger->deaths[0]);
    ledger->deaths[0] = *seen;
    ledger->deaths[0].count = before + 1;
    return &ledger->deaths[0];
}

/* Before the record is skipped: whatever happens then, somebody is told. */
static enum status leave_notice(const struct crash_ledger *ledger, const struct death *death, struct error *err)
{
    AUTO(mem_auto_free) char *folder = mem_format("%s/crashed", ledger->directory);
    AUTO(mem_auto_free) char *path =
        mem_format("%s/%s-%" PRId32 "-%" PRId64, folder, death->topic, death->partition, death->offset);
    AUTO(mem_auto_free) char *text =
        mem_format("topic %s partition %" PRId32 " offset %" PRId64 ": the process died %d times at this record; it is a dead"
                   " letter now, with the reason crashed\n", death->topic, death->partition, death->offset, death->count);
    if (mkdir(folder, 0750) != 0 && errno != EEXIST)
        return failed(err, folder);
    return replace_file(path, bytes_of_string(text), err);
}

/* --- what the last process had in hand ----------------------------------------------------------------------------- */

/* false: nothing, or the file is not one that can be read. */
static bool read_region(const char *path, struct death *out)
{
    AUTO(mem_auto_free) struct region *region = mem_alloc(sizeof *region);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    const bool whole = fread(region, sizeof *region, 1, file) == 1;
    fclose(file);
    const int64_t next = atomic_load(&region->hand.next);
    const uint64_t where = atomic_load(&region->hand.where);
    const uint64_t topic = where >> 32;
    if (!whole || region->magic != region_magic || next <= 0 || topic >= region->topic_count || topic >= TOPICS_MAX)
        return false;
    snprintf(out->topic, sizeof out->topic, "%.*s", TOPIC_SIZE - 1, region->topics[topic]);
    out->partition = (int32_t)(where & UINT32_MAX);
    out->offset = next - 1;
    return true;
}

static enum status count_deaths(struct crash_ledger *ledger, struct error *err)
{
    size_t found = 0;
    for (size_t n = 0; n < WORKERS_MAX; n++) {
        AUTO(mem_auto_free) char *path = mem_format("%s/in-hand-%zu", ledger->directory, n);
        struct death seen;
        if (!read_region(path, &seen))
            continue;
        found++;
        const struct death *death = count_death(ledger, &seen);
        LOG_WARN("process.died", "worker=%zu topic=%s partition=%" PRId32 " offset=%" PRId64 " deaths=%d", n, death->topic,
                 death->partition, death->offset, death->count);
        if (death->count >= CRASH_SKIP_DEATHS)
            TRY(leave_notice(ledger, death, err));
    }
    return found == 0 ? ST_OK : write_deaths(ledger, err);
}

/* Blocks are there before it is mapped: a full disk is an error here, not a SIGBUS later. */
static enum status map_region(struct crash_ledger *ledger, size_t worker, struct error *err)
{
    AUTO(mem_auto_free) char *path = mem_format("%s/in-hand-%zu", ledger->directory, worker);
    AUTO(mem_auto_free) struct region *fresh = mem_alloc(sizeof *fresh);
    fresh->magic = region_magic;
    for (int i = 0; i < ledger->topics->count && i < TOPICS_MAX; i++) {
        snprintf(fresh->topics[i], TOPIC_SIZE, "%s", ledger->topics->items[i].name);
        fresh->topic_count++;
    }
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return failed(err, path);
    void *memory = MAP_FAILED;
    errno = ENOSPC; /* of a short write */
    if (pwrite(fd, fresh, sizeof *fresh, 0) == (ssize_t)sizeof *fresh)
        memory = mmap(NULL, sizeof *fresh, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const int why = errno;
    close(fd);
    errno = why;
    if (memory == MAP_FAILED)
        return failed(err, path);
    ledger->regions[worker] = memory;
    return ST_OK;
}

/* Of workers that are no more. */
static void remove_regions(const struct crash_ledger *ledger, size_t from)
{
    for (size_t n = from; n < WORKERS_MAX; n++) {
        AUTO(mem_auto_free) char *path = mem_format("%s/in-hand-%zu", ledger->directory, n);
        if (unlink(path) != 0 && errno != ENOENT)
            LOG_WARN("file.not_removed", "file=%s error=%s", LOG_Q(path), LOG_Q(strerror(errno)));
    }
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

enum status crash_ledger_open(struct crash_ledger **out, const char *directory, const struct topics *topics,
                              size_t worker_count, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(crash_ledger_close) struct crash_ledger *ledger = mem_alloc(sizeof *ledger);
    ENSURE(pthread_mutex_init(&ledger->lock, NULL) == 0);
    ledger->directory = mem_format("%s", directory);
    ledger->topics = topics;
    if (worker_count > WORKERS_MAX)
        return FAIL(err, ST_INVALID, "more than %d workers", WORKERS_MAX);
    TRY(read_deaths(ledger, err));
    TRY(count_deaths(ledger, err)); /* first: a death between the two is counted twice, never not at all */
    for (size_t i = 0; i < worker_count; i++)
        TRY(map_region(ledger, i, err));
    remove_regions(ledger, worker_count);
    *out = TAKE(ledger);
    return ST_OK;
}

void crash_ledger_close(struct crash_ledger **ledger_ref)
{
    struct crash_ledger *ledger = TAKE(*ledger_ref);
    if (ledger == NULL)
        return;
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        if (ledger->regions[i] != NULL)
            munmap(ledger->regions[i], sizeof *ledger->regions[i]);
    }
    pthread_mutex_destroy(&ledger->lock);
    mem_free(ledger->directory);
    mem_free(ledger);
}

struct in_hand *crash_ledger_in_hand(struct crash_ledger *ledger, size_t worker)
{
    ENSURE(worker < WORKERS_MAX && ledger->regions[worker] != NULL);
    return &ledger->regions[worker]->hand;
}

void crash_ledger_watch(struct crash_ledger *ledger, struct crash_watch *out)
{
    *out = (struct crash_watch){ .count = 0 };
    pthread_mutex_lock(&ledger->lock);
    for (size_t i = 0; i < ledger->death_count; i++) {
        const struct death *death = &ledger->deaths[i];
        for (int topic = 0; topic < ledger->topics->count; topic++) {
            if (strcmp(ledger->topics->items[topic].name, death->topic) == 0)
                out->items[out->count++] =
                    (struct crash_suspect){ topic, death->partition, death->offset, death->count };
        }
    }
    pthread_mutex_unlock(&ledger->lock);
}

void crash_ledger_passed(void *context, const struct crash_suspect *suspect)
{
    struct crash_ledger *ledger = context;
    struct error err;
    struct death passed = { .partition = suspect->partition, .offset = suspect->offset };
    snprintf(passed.topic, sizeof passed.topic, "%s", ledger->topics->items[suspect->topic].name);
    pthread_mutex_lock(&ledger->lock);
    size_t kept = 0;
    for (size_t i = 0; i < ledger->death_count; i++) {
        if (!is_same(&ledger->deaths[i], &passed))
            ledger->deaths[kept++] = ledger->deaths[i];
    }
    ledger->death_count = kept;
    /* It would be cleared again after the next start. */
    if (write_deaths(ledger, &err) != ST_OK)
        LOG_WARN("deaths.not_written", "error=%s", LOG_Q(err.text));
    pthread_mutex_unlock(&ledger->lock);
}
