/*
 * restore: brings one task's state to the committed seq, beside the poll loop.
 *
 *     local rows usable?  same identity, seq not newer than the committed one, its nonce in the tail where that still shows,
 *                         and the tail reaches back to it
 *       no:  empty the partition, load the changelog until its end mark has ckpt.number AND its end is reached
 *     tail from min(local seq, ckpt.seq) to the committed seq, without a gap, into the values since the checkpoint
 *     inputs: each reaches to its committed position, and the last record that was processed is still the one that is there
 *
 * When nothing was ever committed, the tail must hold nothing either: otherwise the group's offsets are gone, and starting anew
 * would forget what was known and repeat what was decided.
 *
 * The target is a seq with its nonce, never an offset. The state machine runs step by step (job.h) and owns the overlay and
 * the store partition until it is done.
 */
#ifndef WEIR_PROCESSOR_ENGINE_RESTORE_H
#define WEIR_PROCESSOR_ENGINE_RESTORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "processor/engine/changelog_run.h"
#include "processor/engine/last_seen.h"
#include "processor/engine/log_port.h"
#include "processor/engine/topics.h"
#include "state/changelog.h"
#include "state/commit_metadata.h"
#include "state/overlay.h"
#include "state/tail.h"

struct restore_input {
    int topic;
    int64_t position; /* as committed */
    bool has_offset;  /* the group has one; otherwise the position is where a new input starts */
};

struct restore_options {
    struct log_reader *reader; /* owned from here on */
    const struct topics *topics;
    int32_t partition;
    struct overlay *overlay;
    struct store_partition *store;
    struct state_identity identity;
    const struct restore_input *inputs; /* copied */
    size_t input_count;
    struct commit_metadata target; /* M; seq 0: nothing was ever committed */
    struct clock clock;
    bool drop_local;  /* the local rows are known to be damaged */
    uint64_t batch_bytes_max; /* of rows of the changelog on the way to the store; 0: 16 MiB */
    int64_t stall_us; /* no progress for this long is a failure; 0: 60 s */
};

/* BEGIN_...: Kafka still has to say where reading begins; a broker that does not answer is asked again. */
enum restore_phase {
    RESTORE_LOCAL,
    RESTORE_EMPTY,
    RESTORE_BEGIN_CHANGELOG,
    RESTORE_CHANGELOG,
    RESTORE_BEGIN_TAIL,
    RESTORE_TAIL,
    RESTORE_INPUTS,
    RESTORE_DONE
};

struct restore {
    struct restore_options options;
    enum restore_phase phase;
    bool from_changelog;      /* the local rows were dropped (or there were none) */
    struct store_position local;
    uint64_t base_seq;        /* rows up to here are in the store */
    int64_t progress_us;      /* when something last arrived */
    int64_t next_offset;      /* of what is being read: a client may deliver a record twice */
    int64_t started_us;
    atomic_int_fast64_t rows; /* read so far, for progress; any thread may look */

    /* changelog */
    bool mark_seen;
    int64_t changelog_since_us;
    struct changelog_run run; /* rows not in the store yet */
    int64_t end_offset;       /* where the topic ended when reading began */
    int64_t told_us;          /* progress was last told in the log */
    int64_t told_rows;

    bool tail_has_records, tail_ended; /* RESTORE_EMPTY */

    /* inputs: is each still the topic that was read? */
    struct restore_input *inputs;
    size_t input_next;
    int64_t input_since_us;
    bool input_asked, input_decided;
    struct last_seen seen; /* of the input that is looked at */

    /* tail */
    struct tail_reader *tail;
    uint64_t next_seq; /* of the tail's next transaction; 0: not known yet */
    bool gap;
    bool reached;
};

/* Takes the reader. */
void restore_init(struct restore *restore, const struct restore_options *options);
void restore_fini(struct restore *restore);
/* job_step_fn. */
MUST_CHECK enum status restore_step(void *restore, bool *done, struct error *err);

#endif
