/*
 * disk: a local disk with a state store on it, as RocksDB keeps one with its write-ahead log off.
 * A disk outlives the processes that use it.
 *
 * What a process wrote survives its death only as far as memtables went to disk: per partition (a
 * column family) everything up to its last flush, and of the write calls after it a prefix. A
 * call is never torn (a write batch is atomic), a partition that was dropped is gone at once (the
 * manifest says so).
 *
 * One process has it open at a time. The hook is called before and after each call that changes
 * something: there the process may be put aside, or die; what it answers is what the call
 * answers.
 */
#ifndef WEIR_TESTS_SIM_DISK_H
#define WEIR_TESTS_SIM_DISK_H

#include "base/random.h"
#include "state/store.h"

/* Chances in 10,000 per call; a fault lasts as long as the process lives. */
struct disk_faults {
    uint32_t write_fails; /* IO_FAILED or DISK_FULL; the write is not done */
    uint32_t read_fails;  /* IO_FAILED */
    uint32_t corrupt;     /* a read finds a bad checksum */
};

enum disk_moment { DISK_BEFORE, DISK_AFTER };
typedef enum status disk_hook_fn(void *context, enum disk_moment moment);

struct disk;
void disk_create(struct disk **out, struct prng *borrowed);
void disk_destroy(struct disk **disk);
/* The store of it for one process. `faults` is looked at with every call. */
struct store *disk_open(struct disk *disk, const struct disk_faults *faults, disk_hook_fn *hook,
                        void *context);
/* The process died: keeps the prefix that survived. `all` / `none` of what was not flushed, else
 * random. */
enum disk_survival { DISK_KEEP_RANDOM, DISK_KEEP_ALL, DISK_KEEP_NONE };
void disk_crash(struct disk *disk, enum disk_survival survival);
/* Another disk: nothing is on it. */
void disk_wipe(struct disk *disk);
/* Of the position that the partition has; 0: it has none. */
uint64_t disk_seq(const struct disk *disk, const char *partition);
/* Did a fault of it answer since it was opened? */
bool disk_failed(const struct disk *disk);

#endif
