#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "state/tail.h"

enum { RECORDS_MAX = 4000, ROWS_MAX = 60, INPUTS_MAX = 4, VALUE_MAX = 5000 };

/* The records of some transactions, as a topic would hold them. */
struct topic {
    struct bytes records[RECORDS_MAX];
    size_t count;
    size_t record_bytes_max;
};

static enum status append(void *context, struct bytes record, struct error *err)
{
    (void)err;
    struct topic *topic = context;
    cr_assert_lt(topic->count, RECORDS_MAX);
    cr_assert_leq(record.size, topic->record_bytes_max);
    topic->records[topic->count++] = bytes_of(mem_copy(record.data, record.size), record.size);
    return ST_OK;
}

static void topic_clear(struct topic *topic)
{
    for (size_t i = 0; i < topic->count; i++)
        mem_free((void *)(uintptr_t)topic->records[i].data);
    topic->count = 0;
}

struct transaction {
    struct commit_metadata metadata;
    struct row_change rows[ROWS_MAX];
    size_t row_count;
    struct tail_input inputs[INPUTS_MAX];
    size_t input_count;
    char keys[ROWS_MAX][40];
    char topics[INPUTS_MAX][20];
    uint8_t noise[VALUE_MAX];
};

static void make_rows(struct transaction *t, struct prng *prng, size_t count, size_t value_max)
{
    t->row_count = count;
    for (size_t i = 0; i < count; i++) {
        const size_t size = (size_t)prng_below(prng, prng_chance(prng, 1, 4) ? value_max + 1 : 30);
        const size_t start = (size_t)prng_below(prng, VALUE_MAX - size + 1);
        t->rows[i].key = bytes_of(t->keys[i], (size_t)sprintf(t->keys[i], "\1key-%03zu%.*s", i,
                                                              (int)prng_below(prng, 20),
                                                              "--------------------"));
        t->rows[i].value = prng_chance(prng, 1, 5) ? BYTES_NONE : bytes_of(t->noise + start, size);
        t->rows[i].position =
            t->rows[i].value.data != NULL && prng_chance(prng, 1, 3) ? (size_t)prng_between(prng, 1, 100000) : 0;
    }
}

static void make_transaction(struct transaction *t, struct prng *prng, uint64_t seq,
                             size_t row_count, size_t value_max)
{
    *t = (struct transaction){ .metadata = { .seq = seq, .nonce = prng_next(prng) } };
    t->metadata.owner_count = 1;
    strcpy(t->metadata.owners[0], "fraud-00-0");
    for (size_t i = 0; i < VALUE_MAX; i++)
        t->noise[i] = (uint8_t)prng_next(prng);
    make_rows(t, prng, row_count, value_max);
    t->input_count = (size_t)prng_below(prng, INPUTS_MAX + 1);
    for (size_t i = 0; i < t->input_count; i++)
        t->inputs[i] = (struct tail_input){
            .topic = bytes_of(t->topics[i], (size_t)sprintf(t->topics[i], "topic-%zu", i)),
            .partition = (int32_t)prng_below(prng, (uint64_t)INT32_MAX + 1),
            .next_offset = (int64_t)prng_next(prng),
        };
}

static void write_transaction(struct topic *topic, const struct transaction *t)
{
    const struct tail_transaction written = {
        .metadata = &t->metadata,
        .inputs = t->inputs,
        .input_count = t->input_count,
        .changes = t->rows,
        .change_count = t->row_count,
    };
    cr_assert_eq(tail_write(&written, topic->record_bytes_max, append, topic, NULL), ST_OK);
}

/* Compares what a reader hands out with the transactions that were written. */
struct expected {
    const struct transaction *transactions;
    size_t count;
    size_t at;
    size_t row;
    size_t part; /* of what is appended to the row: it may come in several */
    size_t done;
    uint64_t unwanted_seq;
};

static enum status expect_row(void *context, const struct row_change *change, struct error *err)
{
    struct expected *expected = context;
    (void)err;
    cr_assert_lt(expected->at, expected->count);
    const struct transaction *t = &expected->transactions[expected->at];
    cr_assert_lt(expected->row, t->row_count);
    const struct row_change *row = &t->rows[expected->row];
    cr_assert(bytes_equal(change->key, row->key), "row %zu", expected->row);
    if (row->position == 0) {
        cr_assert(change->position == 0 && bytes_equal(change->value, row->value), "row %zu", expected->row);
        expected->row++;
        return ST_OK;
    }
    cr_assert_eq(change->position, row->position + expected->part, "row %zu", expected->row);
    cr_assert_leq(expected->part + change->value.size, row->value.size, "row %zu", expected->row);
    cr_assert(bytes_equal(change->value, bytes_of(row->value.data + expected->part, change->value.size)));
    expected->part += change->value.size;
    if (expected->part == row->value.size) {
        expected->part = 0;
        expected->row++;
    }
    return ST_OK;
}

static enum status expect_done(void *context, const struct commit_metadata *metadata,
                               const struct tail_input *inputs, size_t input_count,
                               struct error *err)
{
    (void)err;
    struct expected *expected = context;
    const struct transaction *t = &expected->transactions[expected->at++];
    cr_assert_eq(expected->row, t->row_count);
    cr_assert_eq(memcmp(metadata, &t->metadata, sizeof *metadata), 0);
    cr_assert_eq(input_count, t->input_count);
    for (size_t i = 0; i < input_count; i++) {
        cr_assert(bytes_equal(inputs[i].topic, t->inputs[i].topic));
        cr_assert_eq(inputs[i].partition, t->inputs[i].partition);
        cr_assert_eq(inputs[i].next_offset, t->inputs[i].next_offset);
    }
    expected->row = 0;
    expected->done++;
    return ST_OK;
}

static bool is_wanted(void *context, const struct commit_metadata *metadata)
{
    struct expected *expected = context;
    if (metadata->seq != expected->unwanted_seq)
        return true;
    expected->at++;
    return false;
}

static struct tail_reader *open_reader(struct expected *expected)
{
    struct tail_reader *reader = NULL;
    tail_reader_create(
        &reader, &(struct tail_reader_events){ expect_row, expect_done, is_wanted, expected });
    return reader;
}

Test(tail, comes_back_as_it_was_in_records_of_any_size)
{
    static struct transaction transactions[3];
    static struct topic topic;
    struct prng prng = prng_from_env("TEST_SEED", 5);
    for (int round = 0; round < 300; round++) {
        topic.record_bytes_max = (size_t)prng_between(&prng, 400, 4000);
        struct expected expected = { .transactions = transactions, .count = 3 };
        expected.unwanted_seq = prng_chance(&prng, 1, 4) ? 2 : 0;
        for (uint64_t i = 0; i < 3; i++) {
            make_transaction(&transactions[i], &prng, i + 1,
                             (size_t)prng_below(&prng, ROWS_MAX + 1), VALUE_MAX);
            write_transaction(&topic, &transactions[i]);
        }
        struct tail_reader *reader = open_reader(&expected);
        for (size_t i = 0; i < topic.count; i++) {
            struct commit_metadata metadata;
            cr_assert_eq(tail_reader_feed(reader, topic.records[i], NULL), ST_OK,
                         "TEST_SEED=%" PRIu64 " round=%d record=%zu", prng.seed, round, i);
            cr_assert_eq(tail_peek(&metadata, topic.records[i], NULL), ST_OK);
        }
        cr_assert_eq(expected.done, expected.unwanted_seq == 0 ? 3 : 2);
        cr_assert_eq(expected.at, 3);
        tail_reader_destroy(&reader);
        topic_clear(&topic);
    }
}

Test(tail, a_transaction_without_rows_is_one_record)
{
    static struct transaction transaction;
    static struct topic topic = { .record_bytes_max = TAIL_RECORD_BYTES };
    struct prng prng = prng_of_seed(1);
    make_transaction(&transaction, &prng, 1, 0, 0);
    write_transaction(&topic, &transaction);
    cr_assert_eq(topic.count, 1);
    struct expected expected = { .transactions = &transaction, .count = 1 };
    struct tail_reader *reader = open_reader(&expected);
    cr_assert_eq(tail_reader_feed(reader, topic.records[0], NULL), ST_OK);
    cr_assert_eq(expected.done, 1);
    tail_reader_destroy(&reader);
    topic_clear(&topic);
}

Test(tail, the_largest_row_fits_by_default)
{
    enum { KEY_BYTES = 32 * 1024, ROW_BYTES = 900 * 1024 };
    static struct topic topic = { .record_bytes_max = TAIL_RECORD_BYTES };
    char *key = mem_alloc(KEY_BYTES);
    memset(key, 1, KEY_BYTES);
    struct transaction *t = mem_alloc(sizeof *t);
    t->metadata.seq = 1;
    t->rows[t->row_count++] =
        (struct row_change){ bytes_of(key, KEY_BYTES), bytes_of(mem_alloc(ROW_BYTES), ROW_BYTES), 0 };
    const struct tail_transaction written = { &t->metadata, NULL, 0, t->rows, t->row_count };
    cr_assert_eq(tail_write(&written, 0, append, &topic, NULL), ST_OK);
    cr_assert_eq(topic.count, 2);
    struct expected expected = { .transactions = t, .count = 1 };
    struct tail_reader *reader = open_reader(&expected);
    cr_assert_eq(tail_reader_feed(reader, topic.records[0], NULL), ST_OK);
    cr_assert_eq(expected.done, 0);
    cr_assert_eq(tail_reader_feed(reader, topic.records[1], NULL), ST_OK);
    cr_assert_eq(expected.done, 1);
    tail_reader_destroy(&reader);
    topic_clear(&topic);
    mem_free((void *)(uintptr_t)t->rows[0].value.data);
    mem_free(key);
    mem_free(t);
}

/* Nothing of a transaction may come out when a part of it is cut. */
Test(tail, every_truncation_is_corrupt)
{
    static struct transaction transaction;
    static struct topic topic = { .record_bytes_max = 600 };
    struct prng prng = prng_from_env("TEST_SEED", 9);
    make_transaction(&transaction, &prng, 1, 30, 2000);
    transaction.rows[10].value = bytes_of(transaction.noise, 2000);
    transaction.rows[20].value = bytes_of(transaction.noise, 2000);
    transaction.rows[20].position = 7;
    write_transaction(&topic, &transaction);
    cr_assert_gt(topic.count, 4);
    for (size_t cut = 0; cut < topic.count; cut++) {
        for (size_t size = 0; size < topic.records[cut].size; size++) {
            struct expected expected = { .transactions = &transaction };
            struct tail_reader *reader = open_reader(&expected);
            for (size_t i = 0; i < cut; i++)
                cr_assert_eq(tail_reader_feed(reader, topic.records[i], NULL), ST_OK);
            const struct bytes part = bytes_of(topic.records[cut].data, size);
            cr_assert_eq(tail_reader_feed(reader, part, NULL), ST_CORRUPT, "record %zu, %zu bytes",
                         cut, size);
            tail_reader_destroy(&reader);
        }
    }
    topic_clear(&topic);
}

static enum status ignore_row(void *context, const struct row_change *change, struct error *err)
{
    (void)change;
    (void)err;
    ++*(size_t *)context;
    return ST_OK;
}

static enum status ignore_done(void *context, const struct commit_metadata *metadata,
                               const struct tail_input *inputs, size_t input_count,
                               struct error *err)
{
    (void)context;
    (void)metadata;
    (void)inputs;
    (void)input_count;
    (void)err;
    return ST_OK;
}

/* Feeds the records in the order of `order` until one is refused. */
static enum status feed_in_order(const struct topic *topic, const char *order, size_t *rows)
{
    struct tail_reader *reader = NULL;
    enum status status = ST_OK;
    *rows = 0;
    tail_reader_create(&reader,
                       &(struct tail_reader_events){ ignore_row, ignore_done, NULL, rows });
    for (const char *at = order; *at != '\0' && status == ST_OK; at++)
        status = tail_reader_feed(reader, topic->records[*at - '0'], NULL);
    tail_reader_destroy(&reader);
    return status;
}

/* Records 0-2 are one transaction of three parts, 3-5 another. */
static const struct {
    const char *order;
    enum status expected;
} orders[] = {
    { "012345", ST_OK },  { "345012", ST_OK },   { "12", ST_CORRUPT },
    { "02", ST_CORRUPT }, { "0120", ST_OK },     { "01345", ST_CORRUPT },
    { "00", ST_CORRUPT }, { "015", ST_CORRUPT }, { "0112", ST_CORRUPT },
};

Test(tail, parts_of_different_transactions_do_not_mix)
{
    static struct transaction transactions[2];
    static struct topic topic = { .record_bytes_max = 1000 };
    struct prng prng = prng_of_seed(3);
    for (uint64_t i = 0; i < 2; i++) {
        make_transaction(&transactions[i], &prng, i + 1, 0, 0);
        transactions[i].input_count = 0;
        transactions[i].rows[0] =
            (struct row_change){ BYTES_LITERAL("\1k"), bytes_of(transactions[i].noise, 2200), 0 };
        transactions[i].row_count = 1;
        write_transaction(&topic, &transactions[i]);
    }
    cr_assert_eq(topic.count, 6);
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        size_t rows;
        cr_expect_eq(feed_in_order(&topic, orders[i].order, &rows), orders[i].expected, "%s",
                     orders[i].order);
    }
    topic_clear(&topic);
}

/* A record made by hand: one part, no inputs, these entries. */
static enum status feed_entries(struct bytes entries, uint32_t count, uint8_t format, size_t *rows)
{
    AUTO(buffer_fini) struct buffer record = { 0 };
    char text[COMMIT_METADATA_SIZE];
    const struct commit_metadata metadata = { .seq = 1 };
    const int size = commit_metadata_format(text, &metadata);
    buffer_put_u8(&record, format);
    buffer_put_be32(&record, 0);
    buffer_put_be32(&record, 1);
    buffer_put_run(&record, bytes_of(text, (size_t)size));
    buffer_put_be32(&record, count);
    buffer_put_varint(&record, 0);
    buffer_put_bytes(&record, entries);
    const struct topic topic = { .records = { buffer_view(&record) }, .count = 1 };
    return feed_in_order(&topic, "0", rows);
}

static const struct {
    const char *name;
    struct bytes entries;
    uint32_t count;
    enum status expected;
    size_t rows;
} made[] = {
    { "a put", BYTES_LITERAL("\0\1k\1v"), 1, ST_OK, 1 },
    { "an empty value", BYTES_LITERAL("\0\1k\0"), 1, ST_OK, 1 },
    { "a delete", BYTES_LITERAL("\1\1k"), 1, ST_OK, 1 },
    { "fragments", BYTES_LITERAL("\2\1k\1a\2\1k\1b\3\1k\1c"), 3, ST_OK, 1 },
    { "an append", BYTES_LITERAL("\4\1k\5\1v"), 1, ST_OK, 1 },
    { "an append in front", BYTES_LITERAL("\4\1k\0\1v"), 1, ST_CORRUPT, 0 },
    { "an append between fragments", BYTES_LITERAL("\2\1k\1v\4\1l\1\1v\3\1k\1v"), 3, ST_CORRUPT, 0 },
    { "an unknown kind", BYTES_LITERAL("\5\1k\1v"), 1, ST_CORRUPT, 0 },
    { "an empty key", BYTES_LITERAL("\0\0\1v"), 1, ST_CORRUPT, 0 },
    { "a key of the changelog", BYTES_LITERAL("\0\1\0\1v"), 1, ST_CORRUPT, 0 },
    { "more rows than told", BYTES_LITERAL("\1\1k\1\1l"), 1, ST_CORRUPT, 0 },
    { "fewer rows than told", BYTES_LITERAL("\1\1k"), 2, ST_CORRUPT, 0 },
    { "a last fragment alone", BYTES_LITERAL("\3\1k\1v"), 1, ST_CORRUPT, 0 },
    { "a fragment without its end", BYTES_LITERAL("\1\1j\2\1k\1v"), 2, ST_CORRUPT, 0 },
    { "a row between fragments", BYTES_LITERAL("\2\1k\1v\1\1l\3\1k\1v"), 3, ST_CORRUPT, 0 },
    { "fragments of two keys", BYTES_LITERAL("\2\1k\1v\3\1l\1v"), 2, ST_CORRUPT, 0 },
};

Test(tail, what_a_writer_would_not_write_is_corrupt)
{
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        size_t rows;
        cr_expect_eq(feed_entries(made[i].entries, made[i].count, 2, &rows), made[i].expected, "%s",
                     made[i].name);
        cr_expect_eq(rows, made[i].rows, "%s: %zu rows", made[i].name, rows);
    }
}

Test(tail, a_later_format_is_told_apart)
{
    size_t rows;
    cr_expect_eq(feed_entries(BYTES_LITERAL("\1\1k"), 1, 3, &rows), ST_FORMAT_NEWER);
    cr_expect_eq(feed_entries(BYTES_LITERAL("\1\1k"), 1, 1, &rows), ST_OK);
    cr_expect_eq(feed_entries(BYTES_LITERAL("\1\1k"), 1, 0, &rows), ST_CORRUPT);
}

static enum status refuse(void *context, struct bytes record, struct error *err)
{
    (void)context;
    (void)record;
    return FAIL(err, ST_BROKER_BUSY, "no");
}

Test(tail, a_failure_to_emit_is_passed_on)
{
    const struct commit_metadata metadata = { .seq = 1 };
    const struct tail_transaction empty = { .metadata = &metadata };
    cr_assert_eq(tail_write(&empty, 0, refuse, NULL, NULL), ST_BROKER_BUSY);
}
