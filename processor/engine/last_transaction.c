#include "processor/engine/last_transaction.h"

#include <inttypes.h>

#include "base/memory.h"
#include "state/tail.h"

enum { POLL_US = 100 * 1000, STALL_US = 60 * 1000 * 1000 };

struct reading {
    struct last_transaction *out;
    const struct topics *topics;
    struct tail_reader *tail;
    bool ended;
    int64_t progress_us;
};

static enum status ignore_row(void *context, const struct row_change *change, struct error *err)
{
    (void)context;
    (void)change;
    (void)err;
    return ST_OK;
}

static bool want_all(void *context, const struct commit_metadata *metadata)
{
    (void)context;
    (void)metadata;
    return true;
}

static int topic_of(const struct topics *topics, struct bytes name)
{
    for (int i = 0; i < topics->count; i++) {
        const enum topic_role role = topics->items[i].role;
        if ((role == TOPIC_STREAM || role == TOPIC_TABLE) && bytes_equal(bytes_of_string(topics->items[i].name), name))
            return i;
    }
    return -1;
}

static enum status take_transaction(void *context, const struct commit_metadata *metadata,
                                    const struct tail_input *inputs, size_t input_count, struct error *err)
{
    struct reading *reading = context;
    struct last_transaction *out = reading->out;
    (void)err;
    out->metadata = *metadata;
    out->inputs = mem_resize_array(out->inputs, input_count + 1, sizeof *out->inputs);
    out->input_count = input_count;
    for (size_t i = 0; i < input_count; i++)
        out->inputs[i] = (struct last_input){ topic_of(reading->topics, inputs[i].topic), inputs[i].next_offset };
    return ST_OK;
}

static enum status take_record(struct reading *reading, const struct log_record *record, struct error *err)
{
    if (record->kind == LOG_RECORD_OUT_OF_RANGE)
        return FAIL(err, ST_OUT_OF_RANGE, "the tail's partition %" PRId32 " is trimmed while it is read: is a process running?",
                    record->partition);
    reading->ended |= record->kind == LOG_RECORD_EOF;
    return record->kind == LOG_RECORD_DATA ? tail_reader_feed(reading->tail, record->value, err) : ST_OK;
}

static enum status read_on(struct reading *reading, struct log_reader *reader, const struct clock *clock,
                           struct error *err)
{
    struct log_batch batch;
    enum status st = reader->type->poll(reader, POLL_US, &batch, err);
    if (st == ST_OK) {
        for (size_t i = 0; i < batch.count && st == ST_OK; i++)
            st = take_record(reading, &batch.records[i], err);
        reader->type->release(reader, batch.records, batch.count);
        if (batch.count > 0)
            reading->progress_us = clock_us(clock);
    }
    if (status_class_of(st) == CLASS_RETRY)
        st = ST_OK;
    if (st == ST_OK && clock_us(clock) - reading->progress_us > STALL_US)
        return FAIL(err, ST_TIMED_OUT, "reading the tail: no progress for %d s", STALL_US / 1000000);
    return st;
}

enum status last_transaction_read(struct last_transaction *out, struct log_reader *reader,
                                  const struct topics *topics, int32_t partition, struct clock clock,
                                  struct error *err)
{
    struct reading reading = { .out = out, .topics = topics, .progress_us = clock_us(&clock) };
    const struct tail_reader_events events = { ignore_row, take_transaction, want_all, &reading };
    const struct log_position from = { .topic = topics->tail, .partition = partition, .offset = -2 };
    *out = (struct last_transaction){ .inputs = NULL };
    tail_reader_create(&reading.tail, &events);
    enum status st = reader->type->assign(reader, &from, 1, err);
    while (st == ST_OK && !reading.ended)
        st = read_on(&reading, reader, &clock, err);
    tail_reader_destroy(&reading.tail);
    return st;
}

void last_transaction_fini(struct last_transaction *transaction)
{
    mem_free(transaction->inputs);
    *transaction = (struct last_transaction){ .inputs = NULL };
}
