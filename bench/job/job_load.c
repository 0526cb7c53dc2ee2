/*
 * job_load: the benchmark's input. Writes the job's payments and black-listed merchants to Kafka, and the alerts
 * that the oracle expects of them to a file, a line each: "R1 t00000000042".
 *
 *     job_load BROKERS PAYMENTS BLACKLIST SCHEMA_ID EVENTS USERS uniform|mandelbrot|zipf SEED STEP_MS EXPECTED
 *
 * SCHEMA_ID is what the payments are framed with; EXPECTED "-": no file. EVENTS may be 0: the black-list only.
 * Prints the number of alerts per rule.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "job_feed.h"

enum { PAYMENTS, BLACKLIST, TOPICS };

int main(int argc, char **argv)
{
    if (argc != 11) {
        fprintf(stderr, "job_load BROKERS PAYMENTS BLACKLIST SCHEMA_ID EVENTS USERS DISTRIBUTION SEED STEP_MS EXPECTED\n");
        return 2;
    }
    const char *topics[TOPICS] = { argv[2], argv[3] };
    const struct job_feed_options options = {
        .program = "job_load",
        .brokers = argv[1],
        .topics = topics,
        .topic_count = TOPICS,
        .schema_id = (int32_t)strtol(argv[4], NULL, 10),
        .expected = argv[10],
        .job = {
            .seed = strtoull(argv[8], NULL, 10),
            .users = (uint32_t)strtoul(argv[6], NULL, 10),
            .distribution = job_users_of(argv[7]),
            .start_ms = JOB_START_MS,
            .step_ms = strtod(argv[9], NULL),
            .attack_every = JOB_ATTACK_EVERY,
            .blocked_every = JOB_BLOCKED_EVERY,
        },
    };
    struct job_feed *feed = NULL;
    job_feed_open(&feed, &options);
    job_feed_blacklist(feed, BLACKLIST);
    for (uint64_t left = strtoull(argv[5], NULL, 10); left > 0; left--)
        job_feed_pay(feed);
    for (int rule = 0; rule < JOB_RULES; rule++)
        printf("R%d %" PRIu64 "\n", rule + 1, job_feed_alerts(feed, rule));
    job_feed_close(&feed);
    return 0;
}
