/*
 * job_load: the benchmark's input. Writes the job's payments and black-listed merchants to Kafka, and the alerts
 * that the oracle expects of them to a file, a line each: "R1 t00000000042".
 *
 *     job_load BROKERS PAYMENTS BLACKLIST SCHEMA_ID EVENTS USERS uniform|mandelbrot|zipf SEED STEP_MS EXPECTED
 *
 * SCHEMA_ID is what the payments are framed with; EXPECTED "-": no file. The black-list is written when its topic
 * is named and EVENTS may be 0. Prints the number of alerts per rule.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "job_event.h"
#include "processor/kafka/kafka_writer.h"

enum { PAYMENTS, BLACKLIST, TOPICS, FLUSH_MS = 120 * 1000 };

struct load {
    struct kafka_writer *writer;
    struct error err;
    struct buffer key, value;
};

static void must(struct load *load, enum status st)
{
    if (st == ST_OK)
        return;
    fprintf(stderr, "job_load: %s\n", load->err.text);
    exit(1);
}

static void write_record(struct load *load, int topic, int64_t timestamp_ms)
{
    const struct kafka_writer_record record = {
        .topic = topic, .partition = -1, .timestamp_ms = timestamp_ms,
        .key = buffer_view(&load->key), .value = buffer_view(&load->value),
    };
    must(load, kafka_writer_write(load->writer, &record, &load->err));
    buffer_clear(&load->key);
    buffer_clear(&load->value);
}

static void write_blacklist(struct load *load, int64_t now_ms)
{
    for (uint32_t i = 0; i < JOB_BLOCKED; i++) {
        job_merchant(&load->key, i);
        buffer_printf(&load->value, "{\"merchant_id\":\"%.*s\"}", (int)load->key.size, (const char *)load->key.data);
        write_record(load, BLACKLIST, now_ms);
    }
}

static void write_payments(struct load *load, struct job *job, uint64_t count, int32_t schema_id, FILE *expected)
{
    uint64_t alerts[JOB_RULES] = { 0 };
    for (uint64_t i = 0; i < count; i++) {
        struct job_event event;
        job_next(job, &event);
        job_key(&load->key, &event);
        job_value(&load->value, &event, schema_id);
        write_record(load, PAYMENTS, event.event_ms);
        for (int rule = 0; rule < JOB_RULES; rule++) {
            if ((event.alerts >> rule & 1) == 0)
                continue;
            alerts[rule]++;
            if (expected != NULL)
                fprintf(expected, "R%d t%011" PRIu64 "\n", rule + 1, event.number);
        }
    }
    for (int rule = 0; rule < JOB_RULES; rule++)
        printf("R%d %" PRIu64 "\n", rule + 1, alerts[rule]);
}

static enum job_users distribution_of(const char *name)
{
    if (strcmp(name, "uniform") == 0)
        return JOB_UNIFORM;
    return strcmp(name, "zipf") == 0 ? JOB_ZIPF : JOB_MANDELBROT;
}

int main(int argc, char **argv)
{
    if (argc != 11) {
        fprintf(stderr, "job_load BROKERS PAYMENTS BLACKLIST SCHEMA_ID EVENTS USERS DISTRIBUTION SEED STEP_MS EXPECTED\n");
        return 2;
    }
    const char *topics[TOPICS] = { argv[2], argv[3] };
    const struct kafka_port_options kafka = { .bootstrap_servers = argv[1], .topics = topics, .topic_count = TOPICS };
    const struct job_options options = {
        .seed = strtoull(argv[8], NULL, 10),
        .users = (uint32_t)strtoul(argv[6], NULL, 10),
        .distribution = distribution_of(argv[7]),
        .start_ms = INT64_C(1767225600000), /* 2026-01-01 */
        .step_ms = strtod(argv[9], NULL),
        .attack_every = 5000,
    };
    struct load load = { .writer = NULL };
    must(&load, kafka_writer_open(&load.writer, &kafka, KAFKA_PLACE_MURMUR2, &load.err));
    FILE *expected = strcmp(argv[10], "-") == 0 ? NULL : fopen(argv[10], "w");
    struct job *job = NULL;
    job_create(&job, &options);
    write_blacklist(&load, options.start_ms);
    write_payments(&load, job, strtoull(argv[5], NULL, 10), (int32_t)strtol(argv[4], NULL, 10), expected);
    must(&load, kafka_writer_flush(load.writer, FLUSH_MS, &load.err));
    if (expected != NULL && fclose(expected) != 0) {
        perror(argv[10]);
        return 1;
    }
    job_destroy(&job);
    buffer_fini(&load.key);
    buffer_fini(&load.value);
    kafka_writer_close(&load.writer);
    return 0;
}
