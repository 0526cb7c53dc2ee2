/*
 * lane: what a worker holds for one partition number that it owns. Two kinds: a task with its state, or a copier that carries one
 * partition of an everywhere table to the reference topic. Private to the engine.
 *
 *     OPENING --> RESTORING --> CLAIMING --> READY          LOST: somebody else wrote to it; opened again after a while
 *        committed    rows and      the first      reads    FAILED: cannot be opened, for a reason that does not pass
 *        offsets, M   tail read     transaction    and processes
 *
 * Whatever goes wrong with one lane leads back to OPENING, after a pause, or to FAILED (opening_trouble). The others go on.
 */
#ifndef WEIR_PROCESSOR_ENGINE_LANE_H
#define WEIR_PROCESSOR_ENGINE_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "processor/engine/checkpoint.h"
#include "processor/engine/isolation.h"
#include "processor/engine/job.h"
#include "processor/engine/journal.h"
#include "processor/engine/last_seen.h"
#include "processor/engine/log_port.h"
#include "processor/engine/restore.h"
#include "processor/engine/task.h"
#include "state/commit_metadata.h"

struct worker;

enum lane_kind { LANE_TASK, LANE_COPY };
enum lane_state { LANE_OPENING, LANE_RESTORING, LANE_CLAIMING, LANE_READY, LANE_LOST, LANE_FAILED };
const char *lane_state_name(enum lane_state state);

/* Records delivered and not processed yet, oldest first. */
struct record_queue {
    struct log_record *items;
    size_t head, count, capacity;
    uint64_t bytes; /* what the records hold back in the client, about */
};

struct lane_input {
    int topic;
    int source;        /* as in input_record.source */
    int64_t position;  /* next offset to process; -1 until it is known */
    bool has_offset;   /* the group had one when the lane was opened */
    int64_t committed; /* position of the last transaction that is known to be committed */
    bool at_end;       /* everything readable was delivered */
    int64_t end_offset; /* where that was */
    struct record_queue queue;
    struct last_seen seen, committed_seen; /* the last record that was processed */
    bool held; /* not read at the moment: its queue is full and cannot be processed */
};

struct lane {
    struct worker *worker;
    enum lane_kind kind;
    enum lane_state state;
    int32_t partition;
    struct lane_input *inputs;
    size_t input_count;

    struct commit_metadata committed; /* M of the last transaction that is known to be committed */
    struct commit_metadata pending;   /* M of the transaction in hand */
    bool touched;                     /* records of this lane were processed since the last commit */
    bool in_transaction;              /* it takes part in the transaction that is being committed */
    bool has_slice;                   /* with a part of its checkpoint */
    size_t unsliced_records;          /* that were committed since the checkpoint began, or had a slice */
    const struct outputs *outputs;    /* of the transaction that is being committed */
    size_t touched_records;
    int last_topic;                   /* of the last record that was processed */
    int64_t last_offset;
    struct isolation isolation;       /* the search for a record that is refused */
    int64_t blocked_until_us;         /* the registry does not answer: try the record at the queue's head again then */
    int64_t lost_at_us;

    /* opening: kept over lane_forget */
    int64_t opening_since_us; /* this attempt; 0: it has not begun */
    int64_t next_try_us;      /* not before then */
    int attempts;             /* that failed, since a checkpoint was last completed */
    bool owners_ended;        /* the last owner's transactions are */
    bool drop_local;          /* its local rows are damaged */
    int drops;                /* how often they were */
    struct error trouble;     /* what it waits for, or why it failed; status ST_OK: nothing */

    struct journal_runs runs;
    struct hash128 journal_hash, pending_journal_hash;

    /* LANE_TASK */
    bool has_taken; /* the local rows, from the standbys, until it is destroyed */
    struct store_partition *store;
    struct overlay *overlay;
    struct task *task;
    struct checkpoint checkpoint;
    struct restore restore;
    struct job *restore_job;
    int64_t tail_offset; /* a lower bound of where the last committed seq lies */
    int64_t trimmed_offset;
    int64_t checkpoint_ended_us;
    bool proven;  /* a checkpoint was completed since it was opened: its rows can be believed */
    bool changed; /* records were committed since the last checkpoint began: its own commits are no reason for the next */

    /* LANE_COPY */
    int table;
    int64_t marked, committed_mark; /* end mark written up to here */
    struct copier *copier;
    struct buffer copied;           /* reference records of the transaction in hand, each a run */
    struct outputs *copy_outputs;   /* its dead letters */
};

void lane_create(struct lane **out, struct worker *worker, enum lane_kind kind, int32_t partition);
/* A copier reads one partition of one everywhere table. */
void lane_become_copier(struct lane *lane, int table);
/* Gives back the records that were not processed. */
void lane_drop_queues(struct lane *lane);
/* Joins its jobs; frees everything. */
void lane_destroy(struct lane **lane);
/* Forgets memory and the queue, so that it can be opened again. Joins its jobs. What says why it is opened again stays. */
void lane_forget(struct lane *lane);

/* One of the records in hand has led to an alert. */
bool lane_alert_waits(const struct lane *lane);

/* The row that keeps the chain of journal hashes: [6]['J'] -> 16 bytes. */
struct bytes lane_journal_key(void);

void record_queue_push(struct record_queue *queue, const struct log_record *record);
struct log_record *record_queue_front(struct record_queue *queue);
/* The n-th behind the front, or NULL. */
const struct log_record *record_queue_at(const struct record_queue *queue, size_t n);
void record_queue_pop(struct record_queue *queue);
/* Where reading goes on: behind the queue's last record, or the position. */
int64_t lane_input_fetch_position(const struct lane_input *input);

#endif
