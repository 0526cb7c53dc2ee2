/*
 * job_receive: reads a topic from its beginning as a reader of committed records does, and notes when each record
 * came: on the monotonic clock, which job_live keeps its schedule by.
 *
 *     job_receive BROKERS TOPIC FILE
 *
 * Prints "ready" when it has come to the topic's end once. FILE gets, for each record, its time in us (8 bytes), the
 * size of its value (4 bytes), both little-endian, and the value. Ends, with everything in FILE, on SIGTERM.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>

#include "base/clock.h"
#include "base/memory.h"

enum { WAIT_MS = 100, METADATA_MS = 10 * 1000 };

static atomic_bool stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    atomic_store(&stopped, true);
}

static void end(const char *what, const char *why)
{
    fprintf(stderr, "job_receive: %s: %s\n", what, why);
    exit(1);
}

static rd_kafka_t *make_client(const char *brokers)
{
    static const char *const settings[][2] = {
        { "group.id", "job-receive" },       { "enable.auto.commit", "false" },    { "isolation.level", "read_committed" },
        { "enable.partition.eof", "true" },  { "socket.nagle.disable", "true" },   { "auto.offset.reset", "earliest" },
    };
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool fine = rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text) == RD_KAFKA_CONF_OK;
    for (size_t i = 0; fine && i < sizeof settings / sizeof *settings; i++)
        fine = rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof text) == RD_KAFKA_CONF_OK;
    rd_kafka_t *client = fine ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text) : NULL;
    if (client == NULL)
        end("the consumer", text);
    rd_kafka_poll_set_consumer(client);
    return client;
}

/* Returns how many partitions there are. */
static int assign_all(rd_kafka_t *client, const char *name)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, topic, &metadata, METADATA_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        end(name, rd_kafka_err2str(code));
    const int count = metadata->topics[0].partition_cnt;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, name, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    code = rd_kafka_assign(client, list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || count == 0)
        end(name, code == RD_KAFKA_RESP_ERR_NO_ERROR ? "no such topic" : rd_kafka_err2str(code));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return count;
}

static void note(FILE *file, int64_t at_us, const rd_kafka_message_t *message)
{
    const uint32_t size = (uint32_t)message->len;
    if (fwrite(&at_us, sizeof at_us, 1, file) != 1 || fwrite(&size, sizeof size, 1, file) != 1 ||
        fwrite(message->payload, 1, message->len, file) != message->len)
        end("the file", "cannot be written");
}

/* What was received is in the file before anything new is waited for. */
static rd_kafka_message_t *next(rd_kafka_t *client, FILE *file)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 0);
    if (message != NULL)
        return message;
    if (fflush(file) != 0)
        end("the file", "cannot be written");
    return rd_kafka_consumer_poll(client, WAIT_MS);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "job_receive BROKERS TOPIC FILE\n");
        return 2;
    }
    const struct clock clock = clock_real();
    FILE *file = fopen(argv[3], "wb");
    if (file == NULL)
        end(argv[3], "cannot be made");
    signal(SIGTERM, stop);
    rd_kafka_t *client = make_client(argv[1]);
    int to_end = assign_all(client, argv[2]); /* partitions whose end was not reached yet */
    while (!atomic_load(&stopped)) {
        rd_kafka_message_t *message = next(client, file);
        if (message == NULL)
            continue;
        const int64_t at_us = clock_us(&clock);
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            note(file, at_us, message);
        else if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            end(argv[2], rd_kafka_message_errstr(message));
        else if (--to_end == 0) {
            printf("ready\n");
            fflush(stdout);
        }
        rd_kafka_message_destroy(message);
    }
    if (fclose(file) != 0)
        end(argv[3], "cannot be written");
    rd_kafka_destroy(client);
    return 0;
}
