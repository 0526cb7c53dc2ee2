/*
 * job_feed: the job's payments on their way to Kafka, and what the oracle expects of them on its way to a file, a
 * line for each alert: "R1 t00000000042". Ends the program with its name and the reason when Kafka fails: the
 * benchmark has no second chance. One thread.
 */
#ifndef WEIR_BENCH_JOB_FEED_H
#define WEIR_BENCH_JOB_FEED_H

#include <stdint.h>

#include "job_event.h"

struct job_feed_options {
    const char *program; /* for messages */
    const char *brokers;
    const char *const *topics; /* the first is where the payments go */
    size_t topic_count;
    const char *linger_ms; /* NULL: weir's own */
    int32_t schema_id;     /* what payments are framed with */
    const char *expected;  /* the file's name; "-": none */
    struct job_options job;
};

struct job_feed;
void job_feed_open(struct job_feed **out, const struct job_feed_options *options);
/* Flushes. */
void job_feed_close(struct job_feed **feed);
/* Writes the next payment, and its alerts to the file. */
void job_feed_pay(struct job_feed *feed);
/* Writes the black-list as JSON to the topic of that number. */
void job_feed_blacklist(struct job_feed *feed, int topic);
/* Waits until Kafka has everything; then the file has it too. */
void job_feed_flush(struct job_feed *feed);
uint64_t job_feed_paid(const struct job_feed *feed);
/* How many alerts of a rule (from 0) were expected so far. */
uint64_t job_feed_alerts(const struct job_feed *feed, int rule);

#endif
