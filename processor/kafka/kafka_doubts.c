#include "processor/kafka/kafka_doubts.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "processor/kafka/kafka_client.h"

enum {
    QUESTION_MS = 500,
    PAUSE_US = 250 * 1000,
    PATIENCE_US = 1000 * 1000, /* with a broker that knows of less than was read: a new leader until others have asked it */
};

struct kafka_doubts {
    rd_kafka_t *client;
    const struct kafka_settings *settings;
    struct doubt {
        int topic;
        int32_t partition;
        int64_t offset;
        int64_t since_us, due_us;
    } *items;
    size_t count;
    bool found;
};

void kafka_doubts_create(struct kafka_doubts **out, rd_kafka_t *client, const struct kafka_settings *settings)
{
    ENSURE(*out == NULL);
    struct kafka_doubts *doubts = mem_alloc(sizeof *doubts);
    *doubts = (struct kafka_doubts){ .client = client, .settings = settings };
    *out = doubts;
}

void kafka_doubts_destroy(struct kafka_doubts **doubts_ref)
{
    struct kafka_doubts *doubts = TAKE(*doubts_ref);
    if (doubts == NULL)
        return;
    mem_free(doubts->items);
    mem_free(doubts);
}

void kafka_doubts_forget(struct kafka_doubts *doubts)
{
    doubts->count = 0;
    doubts->found = false;
}

bool kafka_doubts_found(const struct kafka_doubts *doubts)
{
    return doubts->found;
}

static int64_t now_us(void)
{
    const struct clock clock = clock_real();
    return clock_us(&clock);
}

void kafka_doubts_add(struct kafka_doubts *doubts, int topic, int32_t partition, int64_t offset, const char *why)
{
    LOG_WARN("kafka.position_doubted", "topic=%s partition=%" PRId32 " offset=%" PRId64 " error=%s",
             kafka_settings_topic_name(doubts->settings, topic), partition, offset, LOG_Q(why));
    doubts->items = mem_resize_array(doubts->items, doubts->count + 1, sizeof *doubts->items);
    const int64_t now = now_us();
    doubts->items[doubts->count++] =
        (struct doubt){ .topic = topic, .partition = partition, .offset = offset, .since_us = now, .due_us = now };
}

enum verdict { UNANSWERED, DOUBTFUL, INSIDE, OUTSIDE };

static enum verdict judge(const struct kafka_doubts *doubts, const struct doubt *doubt)
{
    int64_t low, high;
    const rd_kafka_resp_err_t code =
        kafka_client_bounds(doubts->client, kafka_settings_topic_name(doubts->settings, doubt->topic), doubt->partition,
                            QUESTION_MS, &low, &high);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return UNANSWERED;
    if (doubt->offset < low)
        return OUTSIDE;
    if (doubt->offset <= high)
        return INSIDE;
    return now_us() - doubt->since_us > PATIENCE_US ? OUTSIDE : DOUBTFUL;
}

/* A broker that is away is not asked about each of them: that would hold up the caller. */
static void wait_with_all(struct kafka_doubts *doubts)
{
    const int64_t due_us = now_us() + PAUSE_US;
    for (size_t i = 0; i < doubts->count; i++)
        doubts->items[i].due_us = due_us;
}

bool kafka_doubts_confirmed(struct kafka_doubts *doubts, struct log_position *out)
{
    for (size_t i = doubts->count; i-- > 0;) {
        const struct doubt doubt = doubts->items[i];
        if (now_us() < doubt.due_us)
            continue;
        switch (judge(doubts, &doubt)) {
        case UNANSWERED:
            wait_with_all(doubts);
            return false;
        case DOUBTFUL:
            doubts->items[i].due_us = now_us() + PAUSE_US;
            continue;
        case INSIDE:
            LOG_INFO("kafka.position_found", "topic=%s partition=%" PRId32 " offset=%" PRId64,
                     kafka_settings_topic_name(doubts->settings, doubt.topic), doubt.partition, doubt.offset);
            doubts->items[i] = doubts->items[--doubts->count];
            doubts->found = true;
            continue;
        case OUTSIDE:
            doubts->items[i] = doubts->items[--doubts->count];
            *out = (struct log_position){ doubt.topic, doubt.partition, doubt.offset, BYTES_NONE };
            return true;
        }
        UNREACHABLE();
    }
    return false;
}
