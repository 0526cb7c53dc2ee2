/*
 * capacity: what a topology needs under a load: processors, memory, disk, what it writes to Kafka, partitions, pods.
 *
 * A sum of measured costs (capacity_costs.def, one constant per thing that an event may meet), with keys that are all
 * equally busy, which is the dearest case: a load that prefers some keys has more of them in memory, and writes fewer rows.
 * Pure: no clock, no files. An estimate for the machine that the constants were measured on; docs/performance.md has
 * the model, and how far off it was where it was checked.
 */
#ifndef WEIR_PROCESSOR_CLI_CAPACITY_H
#define WEIR_PROCESSOR_CLI_CAPACITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "processor/topology/plan.h"

struct capacity_load {
    double events_per_s;  /* at the busiest, > 0: what processors are for */
    double average_per_s; /* over the time that is remembered, > 0: what state is for */
    double keys;          /* that come up within the time that is remembered; > 0 */
    double alert_share;   /* of the events, 0..1 */
    double text_bytes;    /* of one remembered text */
    int pods;             /* 0: as many as the processors need */
    /* Of each pod, as it will be configured. */
    int64_t memory_bytes, workers;
    int64_t commit_interval_us, alert_floor_us, checkpoint_interval_us;
    int64_t replication; /* of the topics */
};

struct capacity {
    /* Nanoseconds of a processor for one event, by what they are for. */
    struct {
        double event, columns, look_backs, rules, rows, misses, commits;
    } ns;
    double event_ns;             /* their sum */
    double processors;           /* busy, all pods together */
    double events_per_processor; /* a second */
    int pods;
    int partitions; /* at least: for one worker each, half busy */

    double events_per_key;        /* remembered, on average */
    double key_bytes;             /* of a key in memory */
    double resident_share;        /* of the keys that are in memory */
    int64_t memory_for_all_bytes; /* of `memory` of a pod that has all its keys there */

    double whole_rows; /* for an event: rows written whole since the last checkpoint */
    double row_bytes;  /* of such a row */
    double tail_bytes, changelog_bytes;             /* for an event */
    double commits_per_s;                           /* all pods together */
    double state_bytes;                             /* of all keys, once */
    double disk_bytes;                              /* of a pod, local */
    double tail_topic_bytes, changelog_topic_bytes; /* on all brokers, with their copies */
    double restore_s;                               /* of a pod that lost its disk */
};

/* "50000/s", "3M/s", "5000000", "5M": a number with k or M for a thousand or a million, and `/s` where `rate`. */
MUST_CHECK enum status capacity_number(const char *text, const char *what, bool rate, double *out,
                                       struct error *err);
/* ST_INVALID: a memory that is too small for the workers; ST_TOO_LARGE: a load for more than a million pods. */
MUST_CHECK enum status capacity_estimate(const struct plan *plan, const struct capacity_load *load,
                                         struct capacity *out, struct error *err);
void capacity_describe(const struct plan *plan, const struct capacity_load *load,
                       const struct capacity *capacity, bool json, struct buffer *out);

#endif
