#include "processor/offline/export_cursor.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/memory.h"

enum { CHUNK_RECORDS = 20 * 1000, POLL_US = 200 * 1000, STALL_US = 60 * 1000 * 1000 };

void export_cursor_init(struct export_cursor *cursor, struct log_reader *reader, struct log_partition at,
                        const char *topic, int64_t from, int64_t to)
{
    *cursor = (struct export_cursor){ .reader = reader, .at = at, .topic = topic, .next = from, .to = to };
}

void export_cursor_fini(struct export_cursor *cursor)
{
    while (cursor->head < cursor->count)
        export_cursor_pass(cursor);
    mem_free(cursor->records);
    cursor->records = NULL;
}

static void keep(struct export_cursor *cursor, const struct log_record *record)
{
    if (cursor->count == cursor->capacity) {
        cursor->capacity = cursor->capacity == 0 ? 1024 : 2 * cursor->capacity;
        cursor->records = mem_resize_array(cursor->records, cursor->capacity, sizeof *cursor->records);
    }
    cursor->records[cursor->count++] = *record;
    cursor->next = record->offset + 1;
}

/* Records of other cursors, what was read before and what lies behind the end are given back at once. */
static enum status take(struct export_cursor *cursor, const struct log_batch *batch, struct error *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < batch->count; i++) {
        const struct log_record *record = &batch->records[i];
        const bool ours = record->topic == cursor->at.topic && record->partition == cursor->at.partition;
        const bool wanted = ours && record->kind == LOG_RECORD_DATA && record->offset >= cursor->next &&
                            record->offset < cursor->to;
        if (ours && record->kind == LOG_RECORD_OUT_OF_RANGE && st == ST_OK)
            st = FAIL(err, ST_OUT_OF_RANGE, "%s partition %" PRId32 " no longer has offset %" PRId64
                      ": retention deleted it", cursor->topic, cursor->at.partition, cursor->next);
        /* The last offsets may be markers of transactions: the end comes without them. */
        if (ours && record->kind != LOG_RECORD_OUT_OF_RANGE && record->offset >= cursor->to)
            cursor->next = cursor->to;
        if (wanted)
            keep(cursor, record);
        else
            cursor->reader->type->release(cursor->reader, record, 1);
    }
    return st;
}

static enum status refill(struct export_cursor *cursor, struct error *err)
{
    const struct clock clock = clock_real();
    const struct log_position position = {
        .topic = cursor->at.topic, .partition = cursor->at.partition, .offset = cursor->next,
    };
    cursor->head = cursor->count = 0;
    TRY(cursor->reader->type->assign(cursor->reader, &position, 1, err));
    int64_t progress_us = clock_us(&clock);
    while (cursor->next < cursor->to && cursor->count < CHUNK_RECORDS) {
        struct log_batch batch;
        const int64_t before = cursor->next;
        TRY(cursor->reader->type->poll(cursor->reader, POLL_US, &batch, err));
        TRY(take(cursor, &batch, err));
        if (cursor->next != before)
            progress_us = clock_us(&clock);
        if (clock_us(&clock) - progress_us > STALL_US)
            return FAIL(err, ST_TIMED_OUT, "%s partition %" PRId32 ": no progress at offset %" PRId64, cursor->topic,
                        cursor->at.partition, cursor->next);
    }
    return ST_OK;
}

enum status export_cursor_front(struct export_cursor *cursor, const struct log_record **out, struct error *err)
{
    if (cursor->head == cursor->count && cursor->next < cursor->to)
        TRY(refill(cursor, err));
    *out = cursor->head == cursor->count ? NULL : &cursor->records[cursor->head];
    return ST_OK;
}

void export_cursor_pass(struct export_cursor *cursor)
{
    ENSURE(cursor->head < cursor->count);
    cursor->reader->type->release(cursor->reader, &cursor->records[cursor->head++], 1);
}
