#include "job_feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/kafka/kafka_writer.h"

enum { FLUSH_MS = 120 * 1000 };

struct job_feed {
    struct job_feed_options options;
    struct job *job;
    struct kafka_writer *writer;
    FILE *expected;
    struct buffer key, value;
    uint64_t paid, alerts[JOB_RULES];
    struct error err;
};

static void must(struct job_feed *feed, enum status st)
{
    if (st == ST_OK)
        return;
    fprintf(stderr, "%s: %s\n", feed->options.program, feed->err.text);
    exit(1);
}

static void must_have(const struct job_feed *feed, bool fine)
{
    if (fine)
        return;
    perror(feed->options.expected);
    exit(1);
}

void job_feed_open(struct job_feed **out, const struct job_feed_options *options)
{
    ENSURE(*out == NULL && options->topic_count > 0);
    struct job_feed *feed = mem_alloc(sizeof *feed);
    feed->options = *options;
    const struct kafka_property linger = { "linger.ms", options->linger_ms };
    const struct kafka_port_options kafka = {
        .bootstrap_servers = options->brokers,
        .topics = options->topics,
        .topic_count = options->topic_count,
        .producer = { &linger, options->linger_ms == NULL ? 0 : 1 },
    };
    must(feed, kafka_writer_open(&feed->writer, &kafka, KAFKA_PLACE_MURMUR2, &feed->err));
    if (strcmp(options->expected, "-") != 0) {
        feed->expected = fopen(options->expected, "w");
        must_have(feed, feed->expected != NULL);
    }
    job_create(&feed->job, &options->job);
    *out = feed;
}

void job_feed_close(struct job_feed **feed_ref)
{
    struct job_feed *feed = *feed_ref;
    job_feed_flush(feed);
    if (feed->expected != NULL)
        must_have(feed, fclose(feed->expected) == 0);
    job_destroy(&feed->job);
    buffer_fini(&feed->key);
    buffer_fini(&feed->value);
    kafka_writer_close(&feed->writer);
    mem_free(feed);
    *feed_ref = NULL;
}

static void write_record(struct job_feed *feed, int topic, int64_t timestamp_ms)
{
    const struct kafka_writer_record record = {
        .topic = topic,
        .partition = -1,
        .timestamp_ms = timestamp_ms,
        .key = buffer_view(&feed->key),
        .value = buffer_view(&feed->value),
    };
    must(feed, kafka_writer_write(feed->writer, &record, &feed->err));
    buffer_clear(&feed->key);
    buffer_clear(&feed->value);
}

static void expect(struct job_feed *feed, const struct job_event *event)
{
    for (int rule = 0; rule < JOB_RULES; rule++) {
        if ((event->alerts >> rule & 1) == 0)
            continue;
        feed->alerts[rule]++;
        if (feed->expected != NULL)
            fprintf(feed->expected, "R%d t%011" PRIu64 "\n", rule + 1, event->number);
    }
}

void job_feed_pay(struct job_feed *feed)
{
    struct job_event event;
    job_next(feed->job, &event);
    job_key(&feed->key, &event);
    job_value(&feed->value, &event, feed->options.schema_id);
    write_record(feed, 0, event.event_ms);
    expect(feed, &event);
    feed->paid++;
}

void job_feed_blacklist(struct job_feed *feed, int topic)
{
    for (uint32_t i = 0; i < JOB_BLOCKED; i++) {
        job_merchant(&feed->key, i);
        buffer_printf(&feed->value, "{\"merchant_id\":\"%.*s\"}", (int)feed->key.size,
                      (const char *)feed->key.data);
        write_record(feed, topic, feed->options.job.start_ms);
    }
}

void job_feed_flush(struct job_feed *feed)
{
    must(feed, kafka_writer_flush(feed->writer, FLUSH_MS, &feed->err));
    if (feed->expected != NULL)
        must_have(feed, fflush(feed->expected) == 0);
}

uint64_t job_feed_paid(const struct job_feed *feed)
{
    return feed->paid;
}

uint64_t job_feed_alerts(const struct job_feed *feed, int rule)
{
    return feed->alerts[rule];
}
