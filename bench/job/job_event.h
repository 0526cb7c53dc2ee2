/*
 * job_event: the payments of the benchmark's job, made from a seed, and the oracle that says which alerts they
 * must raise. It shares no code with the engine: per user it keeps the times, amounts and countries of a day in
 * arrays and counts by looking.
 *
 *     R1  more than 5 payments in 60 s                     R4  the merchant is black-listed
 *     R2  5 payments and 3 countries in 6 h                R5  more than 1,000,000 cents in 24 h
 *     R3  more than 300,000 cents
 *
 * All spans look back from the event's own time t over (t - span, t], the event included; an event that arrives
 * late sees what had arrived by then. One thread.
 */
#ifndef WEIR_BENCH_JOB_EVENT_H
#define WEIR_BENCH_JOB_EVENT_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/random.h"

enum job_users { JOB_UNIFORM, JOB_MANDELBROT, JOB_ZIPF };
enum { JOB_RULES = 5, JOB_BLOCKED = 1000, JOB_ID_SIZE = 12, JOB_ID_AT = 6, JOB_MARK_AT = 45, JOB_MARK_NONE = '@' };
/* The job as it is: how often payments break R3 and R4, and when it begins: 2024-01-01, so that 500 days
 * of it are not ahead of any clock, which a broker refuses. */
enum { JOB_ATTACK_EVERY = 5000, JOB_BLOCKED_EVERY = 5000 };
static const int64_t JOB_START_MS = INT64_C(1704067200000);

struct job_options {
    uint64_t seed;
    uint32_t users;
    enum job_users distribution; /* 1/(k+50)^0.99, or 1/k^0.99 */
    int64_t start_ms;
    double step_ms;              /* event time between two payments, on average */
    uint32_t attack_every;       /* one in so many payments is over the limit of R3; 0: none */
    uint32_t blocked_every;      /* and one in so many is to a black-listed merchant; 0: none */
};

struct job_event {
    uint64_t number; /* tx_id is "t" and 11 digits of it */
    uint32_t user, merchant;
    int64_t amount_cents, event_ms;
    char country[3];
    uint32_t alerts; /* bit r - 1: rule r must alert */
};

struct job;
void job_create(struct job **out, const struct job_options *options);
void job_destroy(struct job **job);
/* The next payment; with the oracle's verdict. */
void job_next(struct job *job, struct job_event *event);
/*
 * Its key, and its Avro body behind the five bytes of the registry's framing. Nobody's rules look at the device: its
 * first letter says which rules must alert ('d': none, else JOB_MARK_NONE + alerts), at JOB_MARK_AT, for a program
 * that has no rules; the 12 characters of the tx_id are at JOB_ID_AT.
 */
void job_key(struct buffer *out, const struct job_event *event);
void job_value(struct buffer *out, const struct job_event *event, int32_t schema_id);
/* "m" and the number of a merchant; those below JOB_BLOCKED are black-listed. */
void job_merchant(struct buffer *out, uint32_t merchant);
/* Which rules the payment must alert by, as it says itself. */
uint32_t job_mark_of(struct bytes value);
enum job_users job_users_of(const char *name);

#endif
