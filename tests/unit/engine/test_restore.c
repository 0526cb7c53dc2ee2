/*
 * What a partition's state is made of when it is taken over: damaged local rows, the changelog in runs,
 * the tail, and inputs that are not what they were. The log is a few records in memory.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "processor/engine/changelog_run.h"
#include "processor/engine/last_seen.h"
#include "processor/engine/last_transaction.h"
#include "processor/engine/restore.h"
#include "state/tail.h"

/* --- a log in memory ------------------------------------------------------------------------------------------------ */

enum { INPUT, TAIL, CHANGELOG, TOPICS };
enum { RECORDS_MAX = 64 };

struct line {
    int64_t timestamp_ms;
    struct buffer key, value;
    bool tombstone;
};
struct log {
    struct line lines[TOPICS][RECORDS_MAX]; /* by offset */
    int64_t low[TOPICS], end[TOPICS];
    int bounds_until_busy; /* this question for bounds is not answered; 0: each is */
};

struct log_in_memory {
    struct log_reader base;
    struct log *log;
    int topic;
    int64_t next;
    struct log_record record;
};

static void reader_close(struct log_reader *base)
{
    mem_free(base);
}

static enum status reader_assign(struct log_reader *base, const struct log_position *positions, size_t count,
                                 struct error *err)
{
    struct log_in_memory *reader = (struct log_in_memory *)base;
    (void)err;
    cr_assert_eq(count, 1);
    reader->topic = positions[0].topic;
    reader->next = positions[0].offset < 0 ? reader->log->low[reader->topic] : positions[0].offset;
    return ST_OK;
}

/* One record at a time, then the end, again and again. */
static enum status reader_poll(struct log_reader *base, int64_t timeout_us, struct log_batch *out, struct error *err)
{
    struct log_in_memory *reader = (struct log_in_memory *)base;
    const struct log *log = reader->log;
    (void)timeout_us;
    (void)err;
    reader->record = (struct log_record){ .kind = LOG_RECORD_EOF, .topic = reader->topic, .offset = reader->next };
    if (reader->next < log->low[reader->topic]) {
        reader->record.kind = LOG_RECORD_OUT_OF_RANGE;
    } else if (reader->next < log->end[reader->topic]) {
        const struct line *line = &log->lines[reader->topic][reader->next];
        reader->record.kind = LOG_RECORD_DATA;
        reader->record.timestamp_ms = line->timestamp_ms;
        reader->record.key = buffer_view(&line->key);
        reader->record.value = line->tombstone ? BYTES_NONE : buffer_view(&line->value);
        reader->next++;
    }
    *out = (struct log_batch){ .records = &reader->record, .count = 1 };
    return ST_OK;
}

static void reader_release(struct log_reader *base, const struct log_record *records, size_t count)
{
    (void)base;
    (void)records;
    (void)count;
}

static enum status reader_bounds(struct log_reader *base, struct log_partition partition, bool high_watermark,
                                 int64_t *low, int64_t *high, struct error *err)
{
    struct log *log = ((struct log_in_memory *)base)->log;
    (void)high_watermark;
    if (log->bounds_until_busy > 0 && --log->bounds_until_busy == 0)
        return FAIL(err, ST_BROKER_BUSY, "no answer in time");
    *low = log->low[partition.topic];
    *high = log->end[partition.topic];
    return ST_OK;
}

static const struct log_reader_type reader_type = {
    .close = reader_close, .assign = reader_assign, .poll = reader_poll, .release = reader_release,
    .bounds = reader_bounds,
};

static struct log_reader *open_reader(struct log *log)
{
    struct log_in_memory *reader = mem_alloc(sizeof *reader);
    reader->base.type = &reader_type;
    reader->log = log;
    return &reader->base;
}

static void append(struct log *log, int topic, struct bytes key, struct bytes value)
{
    struct line *line = &log->lines[topic][log->end[topic]];
    cr_assert_lt(log->end[topic], RECORDS_MAX);
    line->timestamp_ms = 1000 + log->end[topic]++;
    line->tombstone = value.data == NULL;
    buffer_put_bytes(&line->key, key);
    buffer_put_bytes(&line->value, value);
}

static void log_fini(struct log *log)
{
    for (int topic = 0; topic < TOPICS; topic++) {
        for (int64_t i = 0; i < RECORDS_MAX; i++) {
            buffer_fini(&log->lines[topic][i].key);
            buffer_fini(&log->lines[topic][i].value);
        }
    }
}

/* --- a partition -------------------------------------------------------------------------------------------------------- */

struct world {
    struct log log;
    struct topic items[TOPICS];
    struct topics topics;
    struct store *store;
    struct store_partition *partition;
    struct overlay *overlay;
    struct restore_options options;
    struct restore_input input;
    struct clock_virtual clock;
};

static void set_up(struct world *w)
{
    *w = (struct world){ .clock = { .monotonic_us = 1000000 } };
    w->items[INPUT] = (struct topic){ .name = "in", .role = TOPIC_STREAM };
    w->items[TAIL] = (struct topic){ .name = "tail", .role = TOPIC_TAIL };
    w->items[CHANGELOG] = (struct topic){ .name = "changelog", .role = TOPIC_CHANGELOG };
    w->topics.items = w->items;
    w->topics.count = TOPICS;
    w->topics.tail = TAIL;
    w->topics.changelog = CHANGELOG;
    store_open_memory(&w->store);
    cr_assert_eq(w->store->type->partition_open(w->store, &w->partition, "t-0", NULL), ST_OK);
    const struct overlay_options overlay = { .cache_bytes = 1 << 16 };
    overlay_create(&w->overlay, w->partition, &overlay);
    for (int i = 0; i < 8; i++)
        append(&w->log, INPUT, BYTES_LITERAL("k"), BYTES_LITERAL("v"));
    w->options = (struct restore_options){
        .topics = &w->topics,
        .overlay = w->overlay,
        .store = w->partition,
        .identity = { .format_version = STATE_FORMAT_VERSION, .incarnation = 7, .partition_count = 1 },
        .clock = clock_of_virtual(&w->clock),
        .inputs = &w->input,
        .input_count = 1,
        .stall_us = 60 * 1000 * 1000,
    };
    w->input = (struct restore_input){ INPUT, 5, true };
}

static void tear_down(struct world *w)
{
    overlay_destroy(&w->overlay);
    w->partition->type->partition_close(w->partition);
    store_close(&w->store);
    log_fini(&w->log);
}

static enum status emit(void *context, struct bytes record, struct error *err)
{
    struct world *w = context;
    (void)err;
    append(&w->log, TAIL, BYTES_NONE, record);
    return ST_OK;
}

/* A transaction that changes one row; it becomes the committed one. */
static void commit_change(struct world *w, struct row_change change)
{
    w->options.target.seq++;
    w->options.target.nonce = 100 + w->options.target.seq;
    w->options.target.incarnation = 7;
    const struct tail_input input = { BYTES_LITERAL("in"), 0, w->input.position };
    const struct tail_transaction transaction = { &w->options.target, &input, 1, &change, 1 };
    cr_assert_eq(tail_write(&transaction, 0, emit, w, NULL), ST_OK);
}

static void commit(struct world *w, struct bytes key, struct bytes value)
{
    commit_change(w, (struct row_change){ key, value, 0 });
}

static void commit_append(struct world *w, struct bytes key, size_t position, struct bytes more)
{
    commit_change(w, (struct row_change){ key, more, position });
}

static enum status restore(struct world *w, struct restore *restore, struct error *err)
{
    bool done = false;
    enum status st = ST_OK;
    w->options.reader = open_reader(&w->log);
    restore_init(restore, &w->options);
    while (!done && st == ST_OK)
        st = restore_step(restore, &done, err);
    restore_fini(restore);
    return st;
}

static void expect_row(struct world *w, struct bytes key, struct bytes wanted)
{
    struct bytes value;
    cr_assert_eq(overlay_get(w->overlay, key, &value, NULL), ST_OK);
    cr_assert(bytes_equal(value, wanted));
    cr_assert_eq(value.data == NULL, wanted.data == NULL);
}

/* --- rows that grow -------------------------------------------------------------------------------------------------------- */

Test(restore, a_row_that_grew)
{
    struct world w;
    struct restore r;
    struct error err = { 0 };
    set_up(&w);
    commit(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("one"));
    commit_append(&w, BYTES_LITERAL("\1a"), 3, BYTES_LITERAL(" two"));
    commit_append(&w, BYTES_LITERAL("\1a"), 7, BYTES_LITERAL(" three"));
    cr_assert_eq(restore(&w, &r, &err), ST_OK, "%s", err.text);
    expect_row(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("one two three"));
    tear_down(&w);
}

static void write_local_row(struct world *w, uint64_t seq, struct bytes key, struct bytes value)
{
    struct buffer position;
    const struct store_position record = { w->options.identity, seq, 100 + seq };
    const struct store_row row = { key, value };
    buffer_init(&position);
    store_position_write(&position, &record);
    cr_assert_eq(w->partition->type->write(w->partition, &row, 1, buffer_view(&position), NULL), ST_OK);
    buffer_fini(&position);
}

/* They are not what their position says. */
Test(restore, local_rows_that_are_shorter_or_longer_than_what_is_appended_to)
{
    static const struct bytes damaged[] = { BYTES_LITERAL("one"), BYTES_LITERAL("one two t"), BYTES_NONE };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct world w;
        struct restore r;
        struct error err = { 0 };
        set_up(&w);
        commit(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("one two"));
        write_local_row(&w, 1, BYTES_LITERAL("\1a"), damaged[i]);
        commit_append(&w, BYTES_LITERAL("\1a"), 7, BYTES_LITERAL(" three"));
        w.options.target.checkpoint.seq = 1;
        cr_assert_eq(restore(&w, &r, &err), ST_OK, "%s", err.text);
        cr_assert(r.from_changelog);
        expect_row(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("one two three"));
        tear_down(&w);
    }
}

Test(restore, a_tail_that_appends_to_nothing)
{
    struct world w;
    struct restore r;
    struct error err = { 0 };
    set_up(&w);
    commit_append(&w, BYTES_LITERAL("\1a"), 3, BYTES_LITERAL("more"));
    cr_assert_eq(restore(&w, &r, &err), ST_CORRUPT);
    tear_down(&w);
}

/* --- local rows ------------------------------------------------------------------------------------------------------------ */

static void write_local(struct world *w, struct bytes position)
{
    const struct store_row rows[] = { { BYTES_LITERAL("\1old"), BYTES_LITERAL("rubbish") } };
    cr_assert_eq(w->partition->type->write(w->partition, rows, 1, position, NULL), ST_OK);
}

Test(restore, a_position_that_cannot_be_read_costs_the_local_rows)
{
    struct world w;
    struct restore r;
    struct error err = { 0 };
    set_up(&w);
    write_local(&w, BYTES_LITERAL("\1short"));
    commit(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("1"));
    cr_assert_eq(restore(&w, &r, &err), ST_OK, "%s", err.text);
    cr_assert(r.from_changelog);
    expect_row(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("1"));
    expect_row(&w, BYTES_LITERAL("\1old"), BYTES_NONE);
    tear_down(&w);
}

Test(restore, rows_known_to_be_damaged_are_not_looked_at)
{
    struct world w;
    struct restore r;
    struct error err = { 0 };
    set_up(&w);
    commit(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("1"));
    struct buffer position;
    buffer_init(&position);
    const struct store_position record = { w.options.identity, 1, w.options.target.nonce };
    store_position_write(&position, &record);
    write_local(&w, buffer_view(&position)); /* it looks right */
    w.options.drop_local = true;
    cr_assert_eq(restore(&w, &r, &err), ST_OK, "%s", err.text);
    cr_assert(r.from_changelog);
    expect_row(&w, BYTES_LITERAL("\1old"), BYTES_NONE);
    buffer_fini(&position);
    tear_down(&w);
}

/* Whatever question about the log is not answered is asked again. */
Test(restore, a_broker_that_is_busy_costs_nothing)
{
    for (int busy = 0; busy < 8; busy++) {
        struct world w;
        struct restore r;
        struct error err = { 0 };
        struct buffer value;
        set_up(&w);
        buffer_init(&value);
        for (int i = 0; i < 3; i++)
            commit(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("1"));
        append(&w.log, CHANGELOG, BYTES_LITERAL("\1b"), BYTES_LITERAL("2"));
        changelog_end_write(&value, &(struct changelog_end){ 1, 2 });
        append(&w.log, CHANGELOG, changelog_end_key(), buffer_view(&value));
        buffer_clear(&value);
        const struct store_position record = { w.options.identity, 1, 101 };
        store_position_write(&value, &record);
        write_local(&w, buffer_view(&value));
        w.options.target.checkpoint = (struct commit_checkpoint){ .seq = 2, .tail_offset = 2, .number = 1 };
        w.log.low[TAIL] = 2; /* it does not connect to the local rows */
        w.log.bounds_until_busy = busy;
        cr_assert_eq(restore(&w, &r, &err), ST_OK, "%d: %s", busy, err.text);
        cr_assert(r.from_changelog);
        expect_row(&w, BYTES_LITERAL("\1b"), BYTES_LITERAL("2"));
        expect_row(&w, BYTES_LITERAL("\1old"), BYTES_NONE);
        buffer_fini(&value);
        tear_down(&w);
    }
}

/* They have a number that was committed, but of another's transaction. */
static void expect_foreign_rows_dropped(uint64_t local_seq, uint64_t checkpoint_seq)
{
    struct world w;
    struct restore r;
    struct error err = { 0 };
    set_up(&w);
    commit(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("1"));
    commit(&w, BYTES_LITERAL("\1b"), BYTES_LITERAL("2"));
    struct buffer position;
    buffer_init(&position);
    const struct store_position record = { w.options.identity, local_seq, 999 };
    store_position_write(&position, &record);
    write_local(&w, buffer_view(&position));
    w.options.target.checkpoint.seq = checkpoint_seq;
    cr_assert_eq(restore(&w, &r, &err), ST_OK, "%s", err.text);
    cr_assert(r.from_changelog);
    expect_row(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("1"));
    expect_row(&w, BYTES_LITERAL("\1b"), BYTES_LITERAL("2"));
    expect_row(&w, BYTES_LITERAL("\1old"), BYTES_NONE);
    buffer_fini(&position);
    tear_down(&w);
}

Test(restore, rows_of_a_transaction_that_was_never_committed_are_dropped)
{
    expect_foreign_rows_dropped(2, 2); /* the tail would not be read */
    expect_foreign_rows_dropped(2, 1);
}

/* Only the tail still knows whose that number was. */
Test(restore, older_rows_of_a_transaction_that_was_never_committed_are_dropped)
{
    expect_foreign_rows_dropped(1, 0);
    expect_foreign_rows_dropped(1, 1);
}

Test(restore, state_without_offsets_says_how_to_put_them_back)
{
    struct world w;
    struct restore r;
    struct error err = { 0 };
    set_up(&w);
    commit(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("1"));
    w.options.target = (struct commit_metadata){ .seq = 0 };
    cr_assert_eq(restore(&w, &r, &err), ST_OFFSETS_MOVED);
    cr_assert_not_null(strstr(err.text, "weir recover"), "%s", err.text);
    tear_down(&w);
}

/* --- the changelog in runs --------------------------------------------------------------------------------------------------- */

/* More rows than fit into one run; every key several times, some deleted at the end. */
Test(restore, the_newest_value_of_a_changelog_counts, .timeout = 300)
{
    enum { KEYS = 5000, ROWS = 600 * 1000 };
    struct world w;
    struct changelog_run run = { .rows = NULL };
    struct prng prng = prng_of_seed(11);
    uint32_t *model = mem_alloc_array(KEYS, sizeof *model); /* 0: absent */
    set_up(&w);
    changelog_run_init(&run, w.partition, 0);
    for (uint32_t i = 1; i <= ROWS; i++) {
        const uint32_t key_number = (uint32_t)prng_below(&prng, KEYS);
        char key[16];
        const struct bytes name = bytes_of(key, (size_t)snprintf(key, sizeof key, "\1%u", key_number));
        model[key_number] = prng_chance(&prng, 1, 4) ? 0 : i;
        const struct bytes value = model[key_number] == 0 ? BYTES_NONE : bytes_of(&i, sizeof i);
        cr_assert_eq(changelog_run_add(&run, name, value, NULL), ST_OK);
    }
    cr_assert_eq(changelog_run_end(&run, NULL), ST_OK);
    for (uint32_t n = 0; n < KEYS; n++) {
        char key[16];
        const struct bytes name = bytes_of(key, (size_t)snprintf(key, sizeof key, "\1%u", n));
        expect_row(&w, name, model[n] == 0 ? BYTES_NONE : bytes_of(&model[n], sizeof model[n]));
    }
    mem_free(model);
    tear_down(&w);
}

/* --- inputs -------------------------------------------------------------------------------------------------------------------- */

/* The last transaction processed the record before the position. */
static void commit_with_last_seen(struct world *w, int64_t offset, const char *value)
{
    struct buffer row;
    const struct log_record record = { .offset = offset, .timestamp_ms = 1000 + offset, .key = BYTES_LITERAL("k"),
                                       .value = bytes_of_string(value) };
    const struct last_seen seen = last_seen_of(&record);
    buffer_init(&row);
    last_seen_write_head(&row, 1);
    last_seen_write(&row, BYTES_LITERAL("in"), &seen);
    commit(w, last_seen_key(), buffer_view(&row));
    buffer_fini(&row);
}

static void expect_input(const char *value, int64_t low, int64_t end, enum status wanted, const char *text)
{
    struct world w;
    struct restore r;
    struct error err = { 0 };
    set_up(&w);
    commit_with_last_seen(&w, 4, value);
    w.log.low[INPUT] = low;
    w.log.end[INPUT] = end;
    cr_assert_eq(restore(&w, &r, &err), wanted, "%s", err.text);
    cr_assert_not_null(strstr(err.text, text), "%s", err.text);
    tear_down(&w);
}

Test(restore, an_input_that_is_still_the_same)
{
    expect_input("v", 0, 8, ST_OK, "");
    expect_input("v", 0, 5, ST_OK, "");
}

Test(restore, an_input_with_another_record_there)
{
    expect_input("w", 0, 8, ST_INPUT_REPLACED, "weir reset");
}

/* Retention took it: nothing can be said. */
Test(restore, an_input_whose_last_record_is_gone)
{
    expect_input("w", 5, 8, ST_OK, "");
}

/* Kafka forgets the offsets of a topic that is deleted. */
Test(restore, an_input_that_was_processed_and_has_no_offset)
{
    struct world w;
    struct restore r;
    struct error err = { 0 };
    set_up(&w);
    commit_with_last_seen(&w, 4, "v");
    w.input = (struct restore_input){ INPUT, 0, false };
    cr_assert_eq(restore(&w, &r, &err), ST_INPUT_REPLACED, "%s", err.text);
    cr_assert_not_null(strstr(err.text, "weir recover"), "%s", err.text);
    tear_down(&w);
}

Test(restore, a_new_input_has_no_offset)
{
    struct world w;
    struct restore r;
    struct error err = { 0 };
    set_up(&w);
    commit(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("1"));
    w.input = (struct restore_input){ INPUT, 0, false };
    cr_assert_eq(restore(&w, &r, &err), ST_OK, "%s", err.text);
    tear_down(&w);
}

Test(restore, an_input_that_begins_too_late)
{
    expect_input("v", 6, 8, ST_OUT_OF_RANGE, "does not reach offset 5");
}

Test(restore, an_input_that_ends_too_early)
{
    expect_input("v", 0, 4, ST_OUT_OF_RANGE, "ends at offset 4");
}
/* --- the last transaction -------------------------------------------------------------------------------------------------------- */

Test(restore, the_last_transaction_has_the_offsets)
{
    struct world w;
    struct last_transaction last;
    struct error err = { 0 };
    set_up(&w);
    struct log_reader *reader = open_reader(&w.log);
    cr_assert_eq(last_transaction_read(&last, reader, &w.topics, 0, w.options.clock, &err), ST_OK, "%s", err.text);
    cr_assert_eq(last.metadata.seq, 0);
    last_transaction_fini(&last);

    commit(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("1"));
    w.input.position = 6;
    commit(&w, BYTES_LITERAL("\1a"), BYTES_LITERAL("2"));
    cr_assert_eq(last_transaction_read(&last, reader, &w.topics, 0, w.options.clock, &err), ST_OK, "%s", err.text);
    cr_assert_eq(last.metadata.seq, 2);
    cr_assert_eq(last.metadata.nonce, 102);
    cr_assert_eq(last.input_count, 1);
    cr_assert_eq(last.inputs[0].topic, INPUT);
    cr_assert_eq(last.inputs[0].next_offset, 6);
    last_transaction_fini(&last);
    reader->type->close(reader);
    tear_down(&w);
}
