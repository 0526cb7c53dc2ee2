#include "processor/engine/last_seen.h"

#include "base/hash.h"
#include "state/keys.h"

enum { ROW_FORMAT = 1 };
static const uint64_t KEY_FACTOR = UINT64_C(0x9E3779B97F4A7C15); /* odd: key and value do not cancel out */

struct bytes last_seen_key(void)
{
    static const uint8_t key[] = { KEY_TASK, 'I' };
    return bytes_of(key, sizeof key);
}

static uint64_t hash_of(const struct log_record *record)
{
    return hash64(record->value) + KEY_FACTOR * hash64(record->key);
}

struct last_seen last_seen_of(const struct log_record *record)
{
    return (struct last_seen){ true, record->offset, record->timestamp_ms, hash_of(record) };
}

bool last_seen_is(const struct last_seen *seen, const struct log_record *record)
{
    return seen->timestamp_ms == record->timestamp_ms && seen->hash == hash_of(record);
}

void last_seen_write_head(struct buffer *row, size_t count)
{
    buffer_put_u8(row, ROW_FORMAT);
    buffer_put_varint(row, count);
}

void last_seen_write(struct buffer *row, struct bytes topic, const struct last_seen *seen)
{
    buffer_put_run(row, topic);
    buffer_put_zigzag(row, seen->offset);
    buffer_put_zigzag(row, seen->timestamp_ms);
    buffer_put_be64(row, seen->hash);
}

enum status last_seen_find(struct last_seen *out, struct bytes row, struct bytes topic, struct error *err)
{
    *out = (struct last_seen){ .known = false };
    if (row.data == NULL)
        return ST_OK;
    struct reader in = reader_of(row);
    if (reader_u8(&in) != ROW_FORMAT)
        return FAIL(err, ST_FORMAT_NEWER, "the row of last records was written by a newer version");
    for (uint64_t count = reader_varint(&in); count > 0 && !in.failed; count--) {
        const struct bytes name = reader_run(&in);
        struct last_seen seen = { .known = true };
        seen.offset = reader_zigzag(&in);
        seen.timestamp_ms = reader_zigzag(&in);
        seen.hash = reader_be64(&in);
        if (!in.failed && bytes_equal(name, topic))
            *out = seen;
    }
    return reader_done(&in) ? ST_OK : FAIL(err, ST_CORRUPT, "the row of last records is malformed");
}
