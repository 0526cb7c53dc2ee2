#include "processor/kafka/kafka_offsets.h"

#include <inttypes.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/kafka/kafka_client.h"
#include "processor/kafka/kafka_errors.h"
#include "processor/kafka/kafka_mock.h"

/* An answer, kept because positions point into it. */
struct answer {
    rd_kafka_topic_partition_list_t *list;
};

struct kafka_offsets {
    const struct kafka_settings *settings;
    rd_kafka_t *member;
    rd_kafka_t *unstable_client; /* made when first asked */
    struct answer stable, unstable;
};

void kafka_offsets_create(struct kafka_offsets **out, const struct kafka_settings *settings,
                          rd_kafka_t *member)
{
    ENSURE(*out == NULL);
    struct kafka_offsets *offsets = mem_alloc(sizeof *offsets);
    offsets->settings = settings;
    offsets->member = member;
    *out = offsets;
}

static void forget(struct answer *answer)
{
    if (answer->list != NULL)
        rd_kafka_topic_partition_list_destroy(answer->list);
    answer->list = NULL;
}

void kafka_offsets_destroy(struct kafka_offsets **offsets_ref)
{
    struct kafka_offsets *offsets = TAKE(*offsets_ref);
    if (offsets == NULL)
        return;
    forget(&offsets->stable);
    forget(&offsets->unstable);
    if (offsets->unstable_client != NULL)
        rd_kafka_destroy_flags(offsets->unstable_client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    mem_free(offsets);
}

/* --- asking ----------------------------------------------------------------------------------------- */

/* The mock cluster forgets what a transaction commits: see kafka_mock.h. */
static void ask_mock(const struct kafka_settings *settings, rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        rd_kafka_topic_partition_t *item = &list->elems[i];
        struct kafka_mock_offset found = { .topic = item->topic, .partition = item->partition };
        kafka_mock_committed(settings->options.mock, settings->options.group_id, &found);
        item->offset = found.offset < 0 ? RD_KAFKA_OFFSET_INVALID : found.offset;
        item->metadata = (void *)(uintptr_t)found.metadata.data;
        item->metadata_size = found.metadata.size;
    }
}

static enum status ask(struct kafka_offsets *offsets, rd_kafka_t *client, struct answer *answer,
                       int64_t timeout_us, struct error *err)
{
    if (offsets->settings->options.mock != NULL) {
        ask_mock(offsets->settings, answer->list);
        return ST_OK;
    }
    const rd_kafka_resp_err_t code =
        rd_kafka_committed(client, answer->list, kafka_client_ms(timeout_us));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_errors_fail(err, code, "reading the group's offsets");
    for (int i = 0; i < answer->list->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &answer->list->elems[i];
        if (item->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka_errors_fail(err, item->err, "the group's offset of %s partition %" PRId32,
                                     item->topic, item->partition);
    }
    return ST_OK;
}

static void fill(const struct answer *answer, struct log_position *positions)
{
    for (int i = 0; i < answer->list->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &answer->list->elems[i];
        ENSURE(item->partition == positions[i].partition);
        const bool exists = item->offset >= 0;
        positions[i].offset = exists ? item->offset : -1;
        /* It is not NUL-terminated, whatever librdkafka's header says: the size counts. */
        positions[i].metadata = exists && item->metadata_size > 0
                                    ? bytes_of(item->metadata, item->metadata_size)
                                    : BYTES_NONE;
    }
}

static enum status read_offsets(struct kafka_offsets *offsets, rd_kafka_t *client,
                                struct answer *answer, struct log_position *positions, size_t count,
                                int64_t timeout_us, struct error *err)
{
    forget(answer);
    struct log_position *questions = mem_alloc_array(count + 1, sizeof *questions);
    for (size_t i = 0; i < count; i++)
        questions[i] = (struct log_position){ .topic = positions[i].topic,
                                              .partition = positions[i].partition,
                                              .offset = RD_KAFKA_OFFSET_INVALID };
    answer->list = kafka_client_list(offsets->settings, questions, count);
    mem_free(questions);
    TRY(ask(offsets, client, answer, timeout_us, err));
    fill(answer, positions);
    return ST_OK;
}

/*
 * The client asks again and again while the offsets are unstable, until the time is over; so a
 * timeout means that, or that the coordinator is away. In neither case is the old value right, nor
 * "none": the -1001 that the client leaves in the list.
 */
enum status kafka_offsets_stable(struct kafka_offsets *offsets, struct log_position *positions,
                                 size_t count, int64_t timeout_us, struct error *err)
{
    const enum status st =
        read_offsets(offsets, offsets->member, &offsets->stable, positions, count, timeout_us, err);
    if (st != ST_BROKER_BUSY)
        return st;
    return FAIL(err, ST_UNSTABLE_OFFSETS,
                "the offsets of group '%s' are not stable: a transaction on them is open, or the "
                "coordinator is away",
                offsets->settings->options.group_id);
}

enum status kafka_offsets_unstable(struct kafka_offsets *offsets, struct log_position *positions,
                                   size_t count, int64_t timeout_us, struct error *err)
{
    if (offsets->unstable_client == NULL) {
        rd_kafka_conf_t *conf = NULL;
        TRY(kafka_settings_configure(&conf, offsets->settings, KAFKA_UNSTABLE, err));
        TRY(kafka_client_create(&offsets->unstable_client, conf, RD_KAFKA_CONSUMER, NULL, err));
    }
    return read_offsets(offsets, offsets->unstable_client, &offsets->unstable, positions, count,
                        timeout_us, err);
}
