#include "fake_log.h"

#include <criterion/criterion.h>

#include "base/memory.h"
#include "state/tail.h"

struct fake_reader {
    struct log_reader base;
    struct fake_log *log;
    int topic;
    int64_t next[FAKE_PARTITIONS]; /* -1: not assigned */
    int64_t told_end[FAKE_PARTITIONS];
    struct log_record records[8];
};

void fake_log_init(struct fake_log *log)
{
    *log = (struct fake_log){ .topics = { .tail = FAKE_TAIL, .changelog = FAKE_CHANGELOG } };
}

void fake_log_fini(struct fake_log *log)
{
    cr_assert_eq(log->readers_open, 0, "a reader was not closed");
    for (int t = 0; t < FAKE_TOPICS; t++) {
        for (int p = 0; p < FAKE_PARTITIONS; p++) {
            struct fake_partition *partition = &log->partitions[t][p];
            for (int64_t i = 0; i < partition->end; i++) {
                buffer_fini(&partition->records[i].key);
                buffer_fini(&partition->records[i].value);
            }
            mem_free(partition->records);
        }
    }
}

int64_t fake_log_append(struct fake_log *log, int topic, int32_t number, struct bytes key,
                        struct bytes value)
{
    struct fake_partition *partition = &log->partitions[topic][number];
    partition->records = mem_resize_array(partition->records, (size_t)partition->end + 1,
                                          sizeof *partition->records);
    struct fake_record *record = &partition->records[partition->end];
    *record = (struct fake_record){ .tombstone = value.data == NULL };
    buffer_init(&record->key);
    buffer_init(&record->value);
    buffer_put_bytes(&record->key, key);
    buffer_put_bytes(&record->value, value);
    return partition->end++;
}

void fake_log_settle(struct fake_log *log)
{
    for (int t = 0; t < FAKE_TOPICS; t++) {
        for (int p = 0; p < FAKE_PARTITIONS; p++)
            log->partitions[t][p].stable = log->partitions[t][p].end;
    }
}

void fake_log_compact(struct fake_log *log, int32_t number)
{
    struct fake_partition *partition = &log->partitions[FAKE_CHANGELOG][number];
    for (int64_t i = 0; i < partition->stable; i++) {
        for (int64_t j = i + 1; j < partition->stable && !partition->records[i].gone; j++)
            partition->records[i].gone = bytes_equal(buffer_view(&partition->records[i].key),
                                                     buffer_view(&partition->records[j].key));
    }
}

/* --- a reader ---------------------------------------------------------------------------------- */

static enum status fake_assign(struct log_reader *base, const struct log_position *positions,
                               size_t count, struct error *err)
{
    (void)err;
    struct fake_reader *reader = (struct fake_reader *)base;
    for (int p = 0; p < FAKE_PARTITIONS; p++)
        reader->next[p] = reader->told_end[p] = -1;
    for (size_t i = 0; i < count; i++) {
        const struct fake_partition *partition =
            &reader->log->partitions[positions[i].topic][positions[i].partition];
        reader->topic = positions[i].topic;
        reader->next[positions[i].partition] =
            positions[i].offset == -2 ? partition->low : positions[i].offset;
    }
    return ST_OK;
}

static struct log_record describe(int topic, int32_t partition, int64_t offset,
                                  const struct fake_record *record)
{
    return (struct log_record){
        .kind = LOG_RECORD_DATA,
        .topic = topic,
        .partition = partition,
        .offset = offset,
        .key = buffer_view(&record->key),
        .value = record->tombstone ? BYTES_NONE : buffer_view(&record->value),
    };
}

/* The next record of one partition, an end, or nothing. */
static bool next_record(struct fake_reader *reader, int32_t p, struct log_record *out)
{
    const struct fake_partition *partition = &reader->log->partitions[reader->topic][p];
    if (reader->next[p] < 0)
        return false;
    *out = (struct log_record){ .topic = reader->topic, .partition = p, .offset = reader->next[p] };
    if (reader->next[p] < partition->low) {
        out->kind = LOG_RECORD_OUT_OF_RANGE;
        reader->next[p] = -1; /* it stays silent */
        return true;
    }
    while (reader->next[p] < partition->stable && partition->records[reader->next[p]].gone)
        reader->next[p]++;
    if (reader->next[p] < partition->stable) {
        *out = describe(reader->topic, p, reader->next[p], &partition->records[reader->next[p]]);
        reader->next[p]++;
        return true;
    }
    out->kind = LOG_RECORD_EOF;
    out->offset = reader->next[p];
    const bool is_news = reader->told_end[p] != reader->next[p];
    reader->told_end[p] = reader->next[p];
    return is_news;
}

static enum status fake_poll(struct log_reader *base, int64_t timeout_us, struct log_batch *out,
                             struct error *err)
{
    (void)timeout_us;
    struct fake_reader *reader = (struct fake_reader *)base;
    *out = (struct log_batch){ .records = reader->records };
    if (reader->log->poll_status != ST_OK)
        return FAIL(err, reader->log->poll_status, "the fake log says so");
    for (int32_t p = 0; p < FAKE_PARTITIONS; p++) {
        for (int i = 0; i < 2 && next_record(reader, p, &reader->records[out->count]); i++)
            out->count++;
    }
    return ST_OK;
}

static void fake_release(struct log_reader *reader, const struct log_record *records, size_t count)
{
    (void)reader;
    (void)records;
    (void)count;
}

static enum status fake_bounds(struct log_reader *base, struct log_partition at,
                               bool high_watermark, int64_t *low, int64_t *high, struct error *err)
{
    (void)err;
    const struct fake_partition *partition =
        &((struct fake_reader *)base)->log->partitions[at.topic][at.partition];
    *low = partition->low;
    *high = high_watermark ? partition->end : partition->stable;
    return ST_OK;
}

static void fake_close(struct log_reader *base)
{
    ((struct fake_reader *)base)->log->readers_open--;
    mem_free(base);
}

static const struct log_reader_type fake_type = {
    .close = fake_close,
    .assign = fake_assign,
    .poll = fake_poll,
    .release = fake_release,
    .bounds = fake_bounds,
};

enum status fake_log_open_reader(void *context, struct log_reader **out, struct error *err)
{
    (void)err;
    struct fake_reader *reader = mem_alloc(sizeof *reader);
    reader->base.type = &fake_type;
    reader->log = context;
    reader->log->readers_open++;
    *out = &reader->base;
    return fake_assign(*out, NULL, 0, NULL);
}

/* --- what an owner writes ------------------------------------------------------------------------ */

struct place {
    struct fake_log *log;
    int32_t partition;
};

static enum status append_tail(void *context, struct bytes record, struct error *err)
{
    (void)err;
    struct place *place = context;
    fake_log_append(place->log, FAKE_TAIL, place->partition, BYTES_NONE, record);
    return ST_OK;
}

void fake_log_changes(struct fake_log *log, int32_t partition, const struct commit_metadata *metadata,
                      const struct row_change *changes, size_t count)
{
    struct place place = { log, partition };
    const struct tail_transaction transaction = { .metadata = metadata,
                                                  .changes = changes,
                                                  .change_count = count };
    cr_assert_eq(tail_write(&transaction, 0, append_tail, &place, NULL), ST_OK);
}

void fake_log_end_mark(struct fake_log *log, int32_t partition,
                       const struct state_identity *identity, uint64_t number, uint64_t seq)
{
    struct buffer value;
    const struct changelog_end end = { number, seq };
    buffer_init(&value);
    changelog_identity_write(&value, identity);
    fake_log_append(log, FAKE_CHANGELOG, partition, changelog_identity_key(), buffer_view(&value));
    buffer_clear(&value);
    changelog_end_write(&value, &end);
    fake_log_append(log, FAKE_CHANGELOG, partition, changelog_end_key(), buffer_view(&value));
    buffer_fini(&value);
}
