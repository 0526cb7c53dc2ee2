/*
 * Any bytes as the records of a tail (runs: a length, then a record): read or refused, never read
 * beyond their end; no row comes out of a transaction that is not whole; and what comes out,
 * written and read again, is the same.
 */
#include <stdint.h>

#include "base/buffer.h"
#include "base/ensure.h"
#include "state/tail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS_MAX = 1024, RECORD_BYTES_MAX = 1 << 20 };

struct copy {
    struct buffer rows; /* run key, varint position, optional run value */
    size_t count;
    bool is_done;
};

/* What was read is written, and that is read again. */
struct round_trip {
    struct copy read;
    struct copy again;
    struct tail_reader *reader;
};

static enum status keep_row(void *context, const struct row_change *change, struct error *err)
{
    struct copy *copy = context;
    (void)err;
    ENSURE(!copy->is_done);
    buffer_put_run(&copy->rows, change->key);
    buffer_put_varint(&copy->rows, change->position);
    buffer_put_optional_run(&copy->rows, change->value);
    copy->count++;
    return ST_OK;
}

static enum status keep_done(void *context, const struct commit_metadata *metadata,
                             const struct tail_input *inputs, size_t input_count, struct error *err)
{
    (void)metadata;
    (void)inputs;
    (void)input_count;
    (void)err;
    ((struct copy *)context)->is_done = true;
    return ST_OK;
}

static enum status feed_again(void *context, struct bytes record, struct error *err)
{
    return tail_reader_feed(context, record, err);
}

static enum status read_row(void *context, const struct row_change *change, struct error *err)
{
    return keep_row(&((struct round_trip *)context)->read, change, err);
}

static enum status read_done(void *context, const struct commit_metadata *metadata,
                             const struct tail_input *inputs, size_t input_count, struct error *err)
{
    struct round_trip *trip = context;
    static struct row_change rows[ROWS_MAX];
    struct reader in = reader_of(buffer_view(&trip->read.rows));
    const bool fits = trip->read.count <= ROWS_MAX && input_count < 10;
    for (size_t i = 0; fits && i < trip->read.count; i++) {
        rows[i].key = reader_run(&in);
        rows[i].position = reader_varint(&in);
        rows[i].value = reader_optional_run(&in);
    }
    const struct tail_transaction transaction = { metadata, inputs, input_count, rows,
                                                  trip->read.count };
    if (fits && tail_write(&transaction, RECORD_BYTES_MAX, feed_again, trip->reader, err) != ST_OK)
        UNREACHABLE();
    ENSURE(!fits || trip->again.is_done);
    ENSURE(!fits || bytes_equal(buffer_view(&trip->read.rows), buffer_view(&trip->again.rows)));
    trip->again.is_done = false;
    trip->again.count = trip->read.count = 0;
    buffer_clear(&trip->read.rows);
    buffer_clear(&trip->again.rows);
    return ST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct round_trip trip = { 0 };
    struct tail_reader *reader = NULL;
    struct error err;
    tail_reader_create(&trip.reader,
                       &(struct tail_reader_events){ keep_row, keep_done, NULL, &trip.again });
    tail_reader_create(&reader, &(struct tail_reader_events){ read_row, read_done, NULL, &trip });
    struct reader in = reader_of(bytes_of(data, size));
    while (reader_left(&in) > 0) {
        const struct bytes record = reader_run(&in);
        struct commit_metadata metadata;
        (void)!tail_peek(&metadata, record, &err);
        if (tail_reader_feed(reader, record, &err) != ST_OK)
            break;
    }
    ENSURE(trip.read.count == 0); /* rows come with their `done` */
    tail_reader_destroy(&reader);
    tail_reader_destroy(&trip.reader);
    buffer_fini(&trip.read.rows);
    buffer_fini(&trip.again.rows);
    return 0;
}
