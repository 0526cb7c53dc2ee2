/*
 * standby: what a process does for partitions that it does not own. It follows those that it would
 * get if their owner's process were gone (members.h, follower.h), and deletes local rows that
 * nobody has needed for a while.
 *
 * One per process, shared by its workers. It has two threads: one follows (one reader for all
 * tails, one for the changelog that is being loaded, one partition at a time), the other asks the
 * cluster who is in the group. Without threads a test calls standby_turn and standby_look.
 *
 * Who may write a partition's local rows: its lane between standby_take and standby_give, otherwise
 * this. A worker takes before it reads the committed offsets: what is followed afterwards could be
 * newer than what it read, and newer rows than the offsets are refused.
 *
 * Nothing here can fail a worker: a standby that does not work is logged, and tried again.
 */
#ifndef WEIR_PROCESSOR_ENGINE_STANDBY_H
#define WEIR_PROCESSOR_ENGINE_STANDBY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "processor/engine/log_port.h"
#include "processor/engine/members.h"
#include "processor/engine/topics.h"
#include "state/store.h"

struct standby;

struct standby_options {
    const struct topics *topics; /* borrowed */
    struct store *store;         /* borrowed */
    struct clock clock;
    bool threaded;
    int32_t partition_count;
    const char *cluster_id, *group; /* copied */
    const char *process;            /* what this process's static ids begin with; copied */
    int workers;                    /* members that this process will be: PROCESS-0, ... */
    int standbys;                   /* per partition; 0: nothing is followed */
    struct members_port *members;   /* owned from here on; may be NULL when standbys is 0 */
    /* A reader that buffers little. */
    enum status (*open_reader)(void *context, struct log_reader **out, struct error *err);
    /* Whether rows that nobody needs must go at once; or NULL. */
    bool (*disk_is_short)(void *context);
    void *context;
    int64_t look_interval_us;   /* at the group; 0: 3 s */
    int64_t keep_us;            /* rows that nobody needs; 0: one hour */
    uint64_t waiting_bytes_max; /* rows read and not written, of all partitions; 0: 16 MiB */
};

/*
 * Before a process joins a group that works without it, it follows what it will be given then: its
 * partitions stay where they are until it is close behind. false: not yet. Gives up waiting when
 * nothing moves. NULL-safe, any thread.
 */
bool standby_is_prepared(struct standby *standby);

/* Starts the threads. */
void standby_create(struct standby **out, const struct standby_options *options);
/* Joins them; writes what is waiting. Before the store is closed. NULL-safe. */
void standby_destroy(struct standby **standby);

/* The partition's local rows are a lane's from now on: returns when no follower has them. Two lanes
 * may have taken the same for a while, when it moves between workers. NULL-safe, any thread. */
void standby_take(struct standby *standby, int32_t partition);
/* Once for each time they were taken, when the lane has closed them. NULL-safe, any thread. */
void standby_give(struct standby *standby, int32_t partition);

/* One turn of following: waits at most timeout_us for records. */
void standby_turn(struct standby *standby, int64_t timeout_us);
/* Asks who is in the group and decides what to follow. */
void standby_look(struct standby *standby);

struct standby_stats {
    int32_t partition;
    const char *state; /* "loading", "following" */
    uint64_t seq;      /* of the last transaction it has */
    int64_t behind;    /* transactions that it does not have yet, at most; -1: not known */
    uint64_t rows;     /* read so far */
    uint64_t reloads;  /* times the changelog was loaded */
};
/* Fills at most `max` and returns how many; any thread. NULL-safe. */
size_t standby_stats(struct standby *standby, struct standby_stats *out, size_t max);

#endif
