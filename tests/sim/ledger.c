#include "ledger.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/memory.h"
#include "naive.h"
#include "processor/engine/lane.h"
#include "processor/engine/reference.h"
#include "reference_task.h"
#include "state/changelog.h"
#include "state/keys.h"
#include "state/tail.h"

enum { ARENA_BLOCK = 64 * 1024, VERDICT_SIZE = 600, STRAIGHT_CUT = 7, TOPICS_MAX = 12 };

struct state_note {
    uint64_t seq, nonce, hash;
    const char *who;
};

struct input_log {
    const struct fixture_record **items; /* by offset */
    size_t count, capacity;
    int64_t watched;
    uint64_t watched_hash; /* of M */
};

/* One partition of the co-partitioned topics. */
struct partition_ledger {
    struct map *tails; /* nonce -> struct bytes */
    struct state_note *notes;
    size_t note_count, note_capacity;
    uint64_t watched_seq;
};

struct ledger {
    struct ledger_options options;
    const struct plan *plan;
    const struct topics *topics;
    struct arena *arena;                  /* what was noted */
    struct input_log *inputs[TOPICS_MAX]; /* per input topic, per partition */
    struct partition_ledger *partitions;
    struct ledger_counts counts;
    char verdict[VERDICT_SIZE];
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct ledger *ledger, const char *format,
                                                        ...)
{
    va_list arguments;
    if (ledger->verdict[0] != '\0')
        return false; /* the first is the one that matters */
    va_start(arguments, format);
    vsnprintf(ledger->verdict, sizeof ledger->verdict, format, arguments);
    va_end(arguments);
    return false;
}

static size_t input_count(const struct ledger *ledger)
{
    return ledger->plan->stream_count + ledger->plan->table_count;
}

static bool is_everywhere(const struct ledger *ledger, int topic)
{
    return topic >= ledger->topics->first_table &&
           ledger->plan->tables[topic - ledger->topics->first_table].scope == TABLE_EVERYWHERE;
}

static int32_t partitions_of(const struct ledger *ledger, int topic)
{
    return is_everywhere(ledger, topic) ? ledger->options.everywhere_partitions
                                        : ledger->options.partitions;
}

void ledger_create(struct ledger **out, const struct ledger_options *options)
{
    ENSURE(*out == NULL);
    struct ledger *ledger = mem_alloc(sizeof *ledger);
    ledger->options = *options;
    ledger->plan = fixture_plan(options->variant);
    ledger->topics = fixture_topics(options->variant);
    arena_create(&ledger->arena, ARENA_BLOCK);
    ledger->partitions = mem_alloc_array((size_t)options->partitions, sizeof *ledger->partitions);
    for (int32_t p = 0; p < options->partitions; p++)
        map_create(&ledger->partitions[p].tails, sizeof(struct bytes));
    for (size_t i = 0; i < input_count(ledger); i++) {
        const size_t count = (size_t)partitions_of(ledger, (int)i);
        ledger->inputs[i] = mem_alloc_array(count, sizeof *ledger->inputs[i]);
    }
    *out = ledger;
}

void ledger_destroy(struct ledger **ledger_ref)
{
    struct ledger *ledger = TAKE(*ledger_ref);
    if (ledger == NULL)
        return;
    for (int32_t p = 0; p < ledger->options.partitions; p++) {
        map_destroy(&ledger->partitions[p].tails);
        mem_free(ledger->partitions[p].notes);
    }
    for (size_t i = 0; i < input_count(ledger); i++) {
        for (int32_t p = 0; p < partitions_of(ledger, (int)i); p++)
            mem_free(ledger->inputs[i][p].items);
        mem_free(ledger->inputs[i]);
    }
    mem_free(ledger->partitions);
    arena_destroy(&ledger->arena);
    mem_free(ledger);
}

const char *ledger_verdict(const struct ledger *ledger)
{
    return ledger->verdict;
}

struct ledger_counts ledger_counts(const struct ledger *ledger)
{
    return ledger->counts;
}

/* --- noting ---------------------------------------------------------------------------------------- */

void ledger_note_input(struct ledger *ledger, const struct fixture_record *record)
{
    struct input_log *log = &ledger->inputs[record->topic][record->partition];
    ENSURE(record->offset == (int64_t)log->count);
    if (log->count == log->capacity) {
        log->capacity = log->capacity * 2 + 64;
        log->items = mem_resize_array(log->items, log->capacity, sizeof *log->items);
    }
    log->items[log->count++] = record;
}

void ledger_note_tail(struct ledger *ledger, int32_t partition, struct bytes record)
{
    struct commit_metadata metadata;
    ENSURE(tail_peek(&metadata, record, NULL) == ST_OK);
    struct map *tails = ledger->partitions[partition].tails;
    struct bytes *kept = map_insert(tails, bytes_of(&metadata.nonce, sizeof metadata.nonce), NULL);
    *kept = arena_copy(ledger->arena, record);
}

void ledger_note_state(struct ledger *ledger, int32_t partition,
                       const struct commit_metadata *committed, uint64_t state_hash,
                       const char *who)
{
    struct partition_ledger *of = &ledger->partitions[partition];
    if (of->note_count == of->note_capacity) {
        of->note_capacity = of->note_capacity * 2 + 16;
        of->notes = mem_resize_array(of->notes, of->note_capacity, sizeof *of->notes);
    }
    of->notes[of->note_count++] =
        (struct state_note){ committed->seq, committed->nonce, state_hash, who };
    ledger->counts.states++;
}

/* A set of rows is the sum of their hashes: what changes is taken off and put on. */
static uint64_t hash_row(struct bytes key, struct bytes value)
{
    uint64_t z = hash64(key) * UINT64_C(0x9e3779b97f4a7c15) + hash64(value);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ z >> 31;
}

static bool add_row(void *context, struct bytes key, struct bytes value)
{
    uint64_t *sum = context;
    *sum += hash_row(key, value);
    return true;
}

enum status ledger_hash_rows(struct overlay *overlay, uint64_t *hash, struct error *err)
{
    static const uint8_t lowest[] = { 1 };
    *hash = 0;
    return overlay_scan(overlay, bytes_of(lowest, 1), BYTES_NONE, add_row, hash, err);
}

/* --- while it runs ----------------------------------------------------------------------------------- */

static bool watch_offset(struct ledger *ledger, int topic, int32_t partition, bool *moved,
                         struct commit_metadata *metadata)
{
    struct bytes text;
    struct input_log *log = &ledger->inputs[topic][partition];
    const int64_t offset = sim_committed(ledger->options.cluster, topic, partition, &text);
    if (offset < 0)
        return log->watched <= 0 ||
               wrong(ledger, "topic %d partition %d: the committed offset is gone", topic,
                     partition);
    if (offset < log->watched)
        return wrong(ledger, "topic %d partition %d: committed offset %" PRId64 " after %" PRId64,
                     topic, partition, offset, log->watched);
    if (offset > (int64_t)log->count)
        return wrong(ledger,
                     "topic %d partition %d: committed offset %" PRId64 " lies behind the end",
                     topic, partition, offset);
    *moved = offset > log->watched;
    const uint64_t hash = hash64(text);
    if (!*moved && hash == log->watched_hash)
        return true; /* nothing was committed here */
    log->watched = offset;
    log->watched_hash = hash;
    struct error err = { .status = ST_OK };
    if (commit_metadata_parse(metadata, text, &err) != ST_OK)
        return wrong(ledger, "topic %d partition %d: metadata: %s", topic, partition, err.text);
    return true;
}

bool ledger_watch(struct ledger *ledger)
{
    for (int topic = 0; topic < (int)input_count(ledger); topic++) {
        for (int32_t p = 0; p < partitions_of(ledger, topic); p++) {
            struct commit_metadata metadata = { .seq = 0 };
            bool moved = false;
            if (!watch_offset(ledger, topic, p, &moved, &metadata))
                return false;
            if (topic > 0 || metadata.seq == 0)
                continue;
            struct partition_ledger *of = &ledger->partitions[p];
            if (metadata.seq < of->watched_seq || (moved && metadata.seq == of->watched_seq))
                return wrong(ledger, "partition %d: committed seq %" PRIu64 " after %" PRIu64, p,
                             metadata.seq, of->watched_seq);
            of->watched_seq = metadata.seq;
        }
    }
    return true;
}

bool ledger_is_done(struct ledger *ledger)
{
    for (int topic = 0; topic < (int)input_count(ledger); topic++) {
        for (int32_t p = 0; p < partitions_of(ledger, topic); p++) {
            struct bytes text;
            const int64_t offset = sim_committed(ledger->options.cluster, topic, p, &text);
            if (offset < (int64_t)ledger->inputs[topic][p].count)
                return false;
        }
    }
    return true;
}

/* --- what was put out --------------------------------------------------------------------------------- */

/* Counts of equal records, and per key the chain of the alerts. */
struct output_book {
    struct map *counts; /* hash128 -> int64_t */
    struct map *chains; /* key -> uint64_t */
    struct buffer scratch;
    uint64_t total;
};

static void book_init(struct output_book *book)
{
    *book = (struct output_book){ .total = 0 };
    map_create(&book->counts, sizeof(int64_t));
    map_create(&book->chains, sizeof(uint64_t));
    buffer_init(&book->scratch);
}

static void book_fini(struct output_book *book)
{
    map_destroy(&book->counts);
    map_destroy(&book->chains);
    buffer_fini(&book->scratch);
}

static struct hash128 hash_output(struct output_book *book, bool is_alert, struct bytes key,
                                  struct bytes value, const struct log_header *headers,
                                  size_t count)
{
    struct buffer *text = &book->scratch;
    buffer_clear(text);
    buffer_put_u8(text, is_alert);
    buffer_put_optional_run(text, key);
    buffer_put_optional_run(text, value);
    for (size_t i = 0; i < count; i++) {
        buffer_put_run(text, bytes_of_string(headers[i].name));
        buffer_put_optional_run(text, headers[i].value);
    }
    return hash128(buffer_view(text));
}

static void book_add(struct output_book *book, bool is_alert, struct bytes key, struct bytes value,
                     const struct log_header *headers, size_t header_count, int by)
{
    const struct hash128 hash = hash_output(book, is_alert, key, value, headers, header_count);
    int64_t *count = map_insert(book->counts, bytes_of(&hash, sizeof hash), NULL);
    *count += by;
    book->total++;
    if (!is_alert)
        return;
    uint64_t *chain = map_insert(book->chains, key, NULL);
    const uint64_t link[] = { *chain, hash.low };
    *chain = hash64(bytes_of(link, sizeof link));
}

static void book_add_outputs(struct ledger *ledger, struct output_book *book,
                             const struct outputs *outputs)
{
    for (size_t i = 0; i < outputs_count(outputs); i++) {
        const struct output *output = outputs_at(outputs, i);
        struct log_header headers[OUTPUT_HEADERS_MAX];
        for (size_t j = 0; j < output->header_count; j++)
            headers[j] = (struct log_header){ output->headers[j].name, output->headers[j].value };
        const bool is_alert = output->kind == OUTPUT_ALERT;
        *(is_alert ? &ledger->counts.alerts : &ledger->counts.dead_letters) += 1;
        book_add(book, is_alert, output->key, output->value, headers, output->header_count, 1);
    }
}

struct actual {
    struct ledger *ledger;
    struct output_book *expected, *book;
    bool is_alert, bad;
};

static void take_actual(void *context, const struct log_record *record,
                        const struct log_header *headers, size_t header_count)
{
    struct actual *actual = context;
    const struct hash128 hash = hash_output(actual->expected, actual->is_alert, record->key,
                                            record->value, headers, header_count);
    int64_t *count = map_find(actual->expected->counts, bytes_of(&hash, sizeof hash));
    if (count == NULL || --*count < 0) {
        wrong(actual->ledger, "%s at offset %" PRId64 " of partition %d (key %.*s): %s",
              actual->is_alert ? "alert" : "dead letter", record->offset, record->partition,
              (int)record->key.size, (const char *)record->key.data,
              count == NULL ? "no task would have written it" : "it is there twice");
        actual->bad = true;
    }
    book_add(actual->book, actual->is_alert, record->key, record->value, headers, header_count, 1);
}

static bool compare_chains(struct ledger *ledger, const struct output_book *expected,
                           const struct output_book *actual)
{
    struct map_iterator it = map_iterate(expected->chains);
    while (map_next(&it)) {
        const uint64_t *chain = map_find(actual->chains, it.key);
        if (chain == NULL || *chain != *(uint64_t *)it.value)
            return wrong(ledger, "the alerts of key %.*s are not in the order of its events",
                         (int)it.key.size, (const char *)it.key.data);
    }
    return true;
}

static bool judge_outputs(struct ledger *ledger, struct output_book *expected,
                          int32_t alert_partitions)
{
    struct output_book book;
    book_init(&book);
    struct actual actual = { ledger, expected, &book, true, false };
    for (int32_t p = 0; p < alert_partitions; p++)
        sim_read(ledger->options.cluster, ledger->topics->alerts, p, take_actual, &actual);
    actual.is_alert = false;
    sim_read(ledger->options.cluster, ledger->topics->dead_letters, 0, take_actual, &actual);
    bool fine = !actual.bad;
    if (fine && book.total != expected->total)
        fine = wrong(ledger, "%" PRIu64 " alerts and dead letters are there, %" PRIu64 " should be",
                     book.total, expected->total);
    fine = fine && compare_chains(ledger, expected, &book);
    book_fini(&book);
    return fine;
}

/* --- the journal, and the reference beside it ------------------------------------------------------------ */

struct run {
    struct bytes topic;
    int64_t first, last, count;
};

struct journal_record {
    uint64_t seq, nonce, incarnation;
    struct run runs[512];
    size_t run_count;
    int64_t poll_ms, reference_offset;
    int64_t output_count;
    struct hash128 output_hash, previous;
};

static struct bytes read_text(struct reader *in)
{
    return reader_take(in, (uint64_t)reader_zigzag(in));
}

static struct hash128 read_hash(struct reader *in)
{
    struct hash128 hash;
    hash.high = reader_be64(in);
    hash.low = reader_be64(in);
    return hash;
}

static bool parse_journal(struct journal_record *out, struct bytes value)
{
    struct reader in = reader_of(value);
    if (reader_u8(&in) != 1)
        return false;
    out->seq = (uint64_t)reader_zigzag(&in);
    out->nonce = (uint64_t)reader_zigzag(&in);
    out->incarnation = (uint64_t)reader_zigzag(&in);
    out->run_count = 0;
    for (int64_t left = reader_zigzag(&in); left > 0; left = reader_zigzag(&in)) {
        for (; left > 0 && !in.failed; left--) {
            ENSURE(out->run_count < sizeof out->runs / sizeof out->runs[0]);
            struct run *run = &out->runs[out->run_count++];
            run->topic = read_text(&in);
            run->first = reader_zigzag(&in);
            run->last = reader_zigzag(&in);
            run->count = reader_zigzag(&in);
        }
    }
    out->poll_ms = reader_zigzag(&in);
    out->reference_offset = reader_zigzag(&in);
    read_text(&in);
    read_text(&in);
    out->output_count = reader_zigzag(&in);
    out->output_hash = read_hash(&in);
    out->previous = read_hash(&in);
    return reader_done(&in);
}

/* The reference topic as committed. */
struct reference_log {
    struct arena *arena;
    struct bytes *items; /* by place; offsets may have holes */
    int64_t *offsets;
    size_t count, capacity;
};

struct check {
    struct ledger *ledger;
    int32_t partition;
    struct reference_task reference;
    struct journal_record entry;
    uint64_t seq;
    struct hash128 chain;
    int64_t next_offset[TOPICS_MAX];
    char owner[COMMIT_OWNER_ID_SIZE];
    struct map *row_hashes; /* key -> uint64_t */
    uint64_t state_hash;
    uint64_t *hashes, *nonces; /* by seq */
    size_t hash_capacity;
    const struct reference_log *reference_log;
    size_t adopted;
    struct output_book *expected;
    uint64_t output_chain;        /* of all outputs, in order */
    struct map *velocity, *burst; /* ids of alerts -> int */
    bool bad;
};

static void check_wrong(struct check *check, const char *what)
{
    check->bad = true;
    wrong(check->ledger, "partition %d seq %" PRIu64 ": %s", check->partition, check->entry.seq,
          what);
}

static int find_topic(const struct ledger *ledger, struct bytes name)
{
    for (int i = 0; i < (int)input_count(ledger); i++)
        if (bytes_equal(name, bytes_of_string(ledger->topics->items[i].name)))
            return i;
    return -1;
}

static void feed_run(struct check *check, const struct run *run)
{
    struct ledger *ledger = check->ledger;
    const int topic = find_topic(ledger, run->topic);
    if (topic < 0 || is_everywhere(ledger, topic)) {
        check_wrong(check, "the journal names a topic that is no input");
        return;
    }
    const struct input_log *log = &ledger->inputs[topic][check->partition];
    if (run->first != check->next_offset[topic] || run->last - run->first + 1 != run->count ||
        run->last >= (int64_t)log->count) {
        check->bad = true;
        wrong(ledger,
              "partition %d seq %" PRIu64 ": the journal has offsets %" PRId64 "..%" PRId64
              " (%" PRId64 ") of topic %d, the next is %" PRId64,
              check->partition, check->entry.seq, run->first, run->last, run->count, topic,
              check->next_offset[topic]);
        return;
    }
    for (int64_t offset = run->first; offset <= run->last; offset++)
        reference_task_feed(&check->reference, log->items[offset], check->entry.poll_ms);
    check->next_offset[topic] = run->last + 1;
}

static void adopt(struct check *check)
{
    const struct reference_log *log = check->reference_log;
    while (check->adopted < log->count &&
           log->offsets[check->adopted] < check->entry.reference_offset)
        reference_task_adopt(&check->reference, log->items[check->adopted++]);
}

/* The rows of the tail record beside those of the reference. */
struct row_compare {
    struct check *check;
    const struct store_row *rows;
    size_t count, next;
    const char *difference;
};

static bool row_wanted(void *context, const struct commit_metadata *metadata)
{
    (void)context;
    (void)metadata;
    return true;
}

static void compare_row(void *context, struct bytes key, struct bytes value)
{
    struct row_compare *compare = context;
    if (compare->difference != NULL)
        return;
    if (compare->next == compare->count || !bytes_equal(key, compare->rows[compare->next].key))
        compare->difference = "its tail has another row than the reference";
    else if (!bytes_equal(value, compare->rows[compare->next].value))
        compare->difference = "its tail has another value than the reference";
    compare->next++;
    if (compare->difference != NULL && compare->check->ledger->verdict[0] == '\0')
        snprintf(compare->check->ledger->verdict, VERDICT_SIZE,
                 "partition %d seq %" PRIu64 ": %s (row kind %d, %zu bytes, value %zu bytes)",
                 compare->check->partition, compare->check->entry.seq, compare->difference,
                 key.data[0], key.size, value.size);
}

static enum status row_done(void *context, const struct commit_metadata *metadata,
                            const struct tail_input *inputs, size_t count, struct error *err)
{
    struct row_compare *compare = context;
    struct check *check = compare->check;
    (void)metadata;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        const int topic = find_topic(check->ledger, inputs[i].topic);
        if (topic < 0 || inputs[i].next_offset != check->next_offset[topic])
            check_wrong(check, "its tail has other input positions than the journal");
    }
    if (compare->next != compare->count)
        check_wrong(check, "its tail lacks a row that the reference has");
    return ST_OK;
}

static void compare_tail(struct check *check, struct bytes record)
{
    struct row_compare compare = { .check = check };
    const struct tail_reader_events events = { compare_row, row_done, row_wanted, &compare };
    struct tail_reader *reader = NULL;
    struct error err = { .status = ST_OK };
    overlay_changes(check->reference.overlay, &compare.rows, &compare.count);
    tail_reader_create(&reader, &events);
    if (tail_reader_feed(reader, record, &err) != ST_OK)
        check_wrong(check, "its tail record is malformed");
    tail_reader_destroy(&reader);
    check->bad |= compare.difference != NULL;
}

static void add_to_state(struct check *check)
{
    const struct store_row *rows;
    size_t count;
    overlay_changes(check->reference.overlay, &rows, &count);
    for (size_t i = 0; i < count; i++) {
        uint64_t *hash = map_insert(check->row_hashes, rows[i].key, NULL);
        const uint64_t now = rows[i].value.data == NULL ? 0 : hash_row(rows[i].key, rows[i].value);
        check->ledger->counts.deletes += rows[i].value.data == NULL && *hash != 0;
        check->state_hash += now - *hash;
        *hash = now;
    }
    if (check->seq >= check->hash_capacity) {
        check->hash_capacity = check->hash_capacity * 2 + 1024;
        check->hashes = mem_resize_array(check->hashes, check->hash_capacity, sizeof(uint64_t));
        check->nonces = mem_resize_array(check->nonces, check->hash_capacity, sizeof(uint64_t));
    }
    check->hashes[check->seq] = check->state_hash;
    check->nonces[check->seq] = check->entry.nonce;
}

static void note_alert(struct check *check, const struct alert *alert)
{
    struct map *ids = strcmp(alert->rule->name, "velocity") == 0 ? check->velocity
                      : strcmp(alert->rule->name, "burst") == 0  ? check->burst
                                                                 : NULL;
    if (ids != NULL)
        ++*(int *)map_insert(ids, alert->event.id, NULL);
}

static uint64_t chain_outputs(uint64_t chain, const struct outputs *outputs)
{
    for (size_t i = 0; i < outputs_count(outputs); i++) {
        const struct output *output = outputs_at(outputs, i);
        const uint64_t link[] = { chain, hash64(output->value), hash64(output->key),
                                  (uint64_t)output->kind };
        chain = hash64(bytes_of(link, sizeof link));
    }
    return chain;
}

static void check_transaction(struct check *check, struct hash128 hash)
{
    struct ledger *ledger = check->ledger;
    const struct journal_record *entry = &check->entry;
    const struct bytes *tail = map_find(ledger->partitions[check->partition].tails,
                                        bytes_of(&entry->nonce, sizeof(uint64_t)));
    struct commit_metadata metadata;
    if (tail == NULL || tail_peek(&metadata, *tail, NULL) != ST_OK || metadata.seq != entry->seq) {
        check_wrong(check, "the journal has it, no tail record that was written does");
        return;
    }
    if (strcmp(check->owner, metadata.owners[0]) != 0 && entry->run_count > 0) {
        check_wrong(check, "another owner processes without having claimed");
        return;
    }
    snprintf(check->owner, sizeof check->owner, "%s", metadata.owners[0]);
    adopt(check);
    for (size_t i = 0; i < entry->run_count && !check->bad; i++)
        feed_run(check, &entry->runs[i]);
    if (check->bad)
        return;
    reference_task_prepare(&check->reference);
    struct outputs *outputs = task_outputs(check->reference.task);
    const struct hash128 output_hash = outputs_hash(outputs);
    if ((int64_t)outputs_count(outputs) != entry->output_count ||
        output_hash.high != entry->output_hash.high || output_hash.low != entry->output_hash.low) {
        check_wrong(check, "it put out something else than the reference");
        return;
    }
    struct buffer row;
    buffer_init(&row);
    buffer_put_be64(&row, hash.high);
    buffer_put_be64(&row, hash.low);
    ENSURE(overlay_put(check->reference.overlay, lane_journal_key(), buffer_view(&row), NULL) ==
           ST_OK);
    buffer_fini(&row);
    compare_tail(check, *tail);
    add_to_state(check);
    book_add_outputs(ledger, check->expected, outputs);
    check->output_chain = chain_outputs(check->output_chain, outputs);
    for (size_t i = 0; i < outputs_count(outputs); i++)
        if (outputs_at(outputs, i)->kind == OUTPUT_ALERT)
            note_alert(check, outputs_at(outputs, i)->alert);
    reference_task_commit(&check->reference);
    ledger->counts.transactions++;
}

static void take_journal(void *context, const struct log_record *record,
                         const struct log_header *headers, size_t header_count)
{
    struct check *check = context;
    (void)headers;
    (void)header_count;
    if (check->bad)
        return;
    if (!parse_journal(&check->entry, record->value)) {
        check_wrong(check, "a journal record is malformed");
        return;
    }
    if (check->entry.seq != check->seq + 1) {
        check->bad = true;
        wrong(check->ledger, "partition %d: the journal has seq %" PRIu64 " after %" PRIu64,
              check->partition, check->entry.seq, check->seq);
        return;
    }
    if (check->entry.previous.high != check->chain.high ||
        check->entry.previous.low != check->chain.low) {
        check_wrong(check, "the journal's chain is broken");
        return;
    }
    check->seq = check->entry.seq;
    check->chain = hash128(record->value);
    check_transaction(check, check->chain);
}

static bool judge_metadata(struct check *check, struct commit_metadata *out)
{
    struct ledger *ledger = check->ledger;
    for (int topic = 0; topic < (int)input_count(ledger); topic++) {
        struct bytes text;
        struct commit_metadata found = { .seq = 0 };
        if (is_everywhere(ledger, topic))
            continue;
        const int64_t offset =
            sim_committed(ledger->options.cluster, topic, check->partition, &text);
        if (offset < 0 && check->seq == 0)
            continue;
        if (offset != check->next_offset[topic])
            return wrong(ledger,
                         "partition %d: offset %" PRId64
                         " of topic %d is committed, the journal ends at %" PRId64,
                         check->partition, offset, topic, check->next_offset[topic]);
        if (commit_metadata_parse(&found, text, NULL) != ST_OK || found.seq != check->seq ||
            found.nonce != check->nonces[check->seq])
            return wrong(ledger,
                         "partition %d: M on topic %d has seq %" PRIu64
                         ", the journal ends at %" PRIu64,
                         check->partition, topic, found.seq, check->seq);
        *out = found;
    }
    return true;
}

static bool judge_notes(struct check *check)
{
    struct ledger *ledger = check->ledger;
    const struct partition_ledger *of = &ledger->partitions[check->partition];
    for (size_t i = 0; i < of->note_count; i++) {
        const struct state_note *note = &of->notes[i];
        if (note->seq > check->seq || note->nonce != check->nonces[note->seq])
            return wrong(ledger,
                         "partition %d: %s takes seq %" PRIu64 " for committed, which it is not",
                         check->partition, note->who, note->seq);
        if (note->hash != check->hashes[note->seq])
            return wrong(ledger,
                         "partition %d: the state of %s at seq %" PRIu64 " of %" PRIu64 " is wrong",
                         check->partition, note->who, note->seq, check->seq);
    }
    return true;
}

/* --- changelog and tail ------------------------------------------------------------------------------------- */

struct fold {
    struct map *rows; /* key -> struct bytes */
    struct arena *arena;
    uint64_t after, next, end;
    uint64_t mark;
    struct tail_reader *tail;
    bool bad;
};

static void fold_row(void *context, struct bytes key, struct bytes value)
{
    struct fold *fold = context;
    if (value.data == NULL)
        map_remove(fold->rows, key);
    else
        *(struct bytes *)map_insert(fold->rows, key, NULL) = arena_copy(fold->arena, value);
}

static void fold_changelog(void *context, const struct log_record *record,
                           const struct log_header *headers, size_t header_count)
{
    struct fold *fold = context;
    struct changelog_end end;
    (void)headers;
    (void)header_count;
    if (changelog_kind_of(record->key) == CHANGELOG_ROW)
        fold_row(fold, record->key, record->value);
    else if (changelog_kind_of(record->key) == CHANGELOG_END &&
             changelog_end_read(&end, record->value, NULL) == ST_OK)
        fold->mark = end.number;
}

static bool fold_wanted(void *context, const struct commit_metadata *metadata)
{
    struct fold *fold = context;
    if (metadata->seq <= fold->after)
        return false;
    fold->bad |= metadata->seq != fold->next;
    fold->next = metadata->seq + 1;
    return true;
}

static enum status fold_done(void *context, const struct commit_metadata *metadata,
                             const struct tail_input *inputs, size_t count, struct error *err)
{
    (void)context;
    (void)metadata;
    (void)inputs;
    (void)count;
    (void)err;
    return ST_OK;
}

static void fold_tail(void *context, const struct log_record *record,
                      const struct log_header *headers, size_t header_count)
{
    struct fold *fold = context;
    (void)headers;
    (void)header_count;
    fold->bad |= tail_reader_feed(fold->tail, record->value, NULL) != ST_OK;
}

static uint64_t hash_fold(const struct fold *fold)
{
    uint64_t sum = 0;
    struct map_iterator it = map_iterate(fold->rows);
    while (map_next(&it))
        sum += hash_row(it.key, *(struct bytes *)it.value);
    return sum;
}

static bool judge_fold(struct check *check, const struct commit_metadata *metadata)
{
    struct ledger *ledger = check->ledger;
    struct fold fold = { .after = metadata->checkpoint.seq, .next = metadata->checkpoint.seq + 1 };
    const struct tail_reader_events events = { fold_row, fold_done, fold_wanted, &fold };
    map_create(&fold.rows, sizeof(struct bytes));
    arena_create(&fold.arena, ARENA_BLOCK);
    tail_reader_create(&fold.tail, &events);
    sim_read(ledger->options.cluster, ledger->topics->changelog, check->partition, fold_changelog,
             &fold);
    sim_read(ledger->options.cluster, ledger->topics->tail, check->partition, fold_tail, &fold);
    bool fine = true;
    if (fold.bad || fold.next != metadata->seq + 1)
        fine = wrong(ledger,
                     "partition %d: the tail does not lead from checkpoint %" PRIu64
                     " to seq %" PRIu64 " (up to %" PRIu64 ")",
                     check->partition, metadata->checkpoint.seq, metadata->seq, fold.next - 1);
    else if (fold.mark < metadata->checkpoint.number)
        fine = wrong(ledger, "partition %d: the changelog lacks the end mark %" PRIu64,
                     check->partition, metadata->checkpoint.number);
    else if (hash_fold(&fold) != check->state_hash)
        fine = wrong(ledger,
                     "partition %d: changelog and tail after %" PRIu64
                     " do not give the state at seq %" PRIu64,
                     check->partition, metadata->checkpoint.seq, metadata->seq);
    tail_reader_destroy(&fold.tail);
    map_destroy(&fold.rows);
    arena_destroy(&fold.arena);
    return fine;
}

/* --- the other judges ----------------------------------------------------------------------------------------- */

static bool judge_straight(struct check *check)
{
    struct ledger *ledger = check->ledger;
    const struct input_log *log = &ledger->inputs[0][check->partition];
    struct reference_task straight;
    uint64_t chain = 0;
    reference_task_init(&straight, &(struct reference_task_options){ ledger->options.variant,
                                                                     ledger->options.partitions,
                                                                     ledger->options.partitioner });
    for (size_t i = 0; i < (size_t)check->next_offset[0]; i++) {
        reference_task_feed(&straight, log->items[i], 0);
        if (i % STRAIGHT_CUT != STRAIGHT_CUT - 1 && i + 1 < (size_t)check->next_offset[0])
            continue;
        reference_task_prepare(&straight);
        chain = chain_outputs(chain, task_outputs(straight.task));
        reference_task_commit(&straight);
    }
    reference_task_fini(&straight);
    return chain == check->output_chain ||
           wrong(ledger, "partition %d: read straight in one go, the input gives other outputs",
                 check->partition);
}

static bool compare_ids(struct check *check, const char *rule, struct map *found,
                        const char *const *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int *times = map_find(found, bytes_of_string(expected[i]));
        if (times == NULL || *times != 1)
            return wrong(check->ledger,
                         "partition %d: rule %s should alert on %s once, and did %d times",
                         check->partition, rule, expected[i], times == NULL ? 0 : *times);
    }
    return map_count(found) == count ||
           wrong(check->ledger, "partition %d: rule %s alerted on %zu events, %zu are right",
                 check->partition, rule, map_count(found), count);
}

static bool judge_naive(struct check *check)
{
    struct ledger *ledger = check->ledger;
    const struct input_log *log = &ledger->inputs[0][check->partition];
    struct arena *arena = NULL;
    struct naive_alerts alerts;
    arena_create(&arena, ARENA_BLOCK);
    naive_judge(&alerts, log->items, (size_t)check->next_offset[0], arena);
    const bool fine =
        compare_ids(check, "velocity", check->velocity, alerts.velocity, alerts.velocity_count) &&
        compare_ids(check, "burst", check->burst, alerts.burst, alerts.burst_count);
    arena_destroy(&arena);
    return fine;
}

/* --- everywhere tables: each good row is copied once, each bad one is a dead letter ----------------------------- */

static void take_reference(void *context, const struct log_record *record,
                           const struct log_header *headers, size_t header_count)
{
    struct reference_log *log = context;
    (void)headers;
    (void)header_count;
    if (log->count == log->capacity) {
        log->capacity = log->capacity * 2 + 64;
        log->items = mem_resize_array(log->items, log->capacity, sizeof *log->items);
        log->offsets = mem_resize_array(log->offsets, log->capacity, sizeof *log->offsets);
    }
    log->items[log->count] = arena_copy(log->arena, record->value);
    log->offsets[log->count++] = record->offset;
}

static bool judge_copies_of(struct ledger *ledger, int topic, int32_t partition,
                            const struct reference_log *log, struct output_book *expected)
{
    const int table = topic - ledger->topics->first_table;
    struct copier *copier = NULL;
    struct outputs *outputs = NULL;
    struct buffer copy;
    buffer_init(&copy);
    outputs_create(&outputs);
    ENSURE(copier_create(&copier, ledger->plan, table, NULL, NULL) == ST_OK);
    size_t at = 0;
    bool fine = true;
    const struct input_log *inputs = &ledger->inputs[topic][partition];
    struct bytes text;
    const int64_t committed = sim_committed(ledger->options.cluster, topic, partition, &text);
    for (int64_t i = 0; i < committed && fine; i++) {
        const struct fixture_record *record = inputs->items[i];
        const struct input_record input = {
            .source = topic,
            .topic = ledger->topics->items[topic].name,
            .partition = partition,
            .offset = i,
            .timestamp_ms = record->timestamp_ms,
            .key = record->key,
            .value = record->value,
        };
        struct error err = { .status = ST_OK };
        buffer_clear(&copy);
        const enum status st = copier_take(copier, &input, &copy, &err);
        if (status_class_of(st) == CLASS_SKIP) {
            outputs_add_dead_letter(outputs, &input, st, err.text,
                                    ledger->plan->dead_letters.payload_reference);
            continue;
        }
        ENSURE(st == ST_OK);
        struct reference_record found = { .is_mark = true };
        for (; at < log->count; at++) {
            ENSURE(reference_read(&found, log->items[at], NULL) == ST_OK);
            if (!found.is_mark && found.partition == partition &&
                bytes_equal(found.table, bytes_of_string(ledger->plan->tables[table].name)))
                break;
        }
        fine = at < log->count && bytes_equal(log->items[at], buffer_view(&copy));
        at++;
        if (!fine)
            wrong(ledger,
                  "the copy of row %" PRId64
                  " of partition %d of an everywhere table is not where it should be",
                  i, partition);
    }
    for (; at < log->count && fine; at++) {
        struct reference_record found;
        ENSURE(reference_read(&found, log->items[at], NULL) == ST_OK);
        fine =
            found.is_mark || found.partition != partition ||
            !bytes_equal(found.table, bytes_of_string(ledger->plan->tables[table].name)) ||
            wrong(ledger, "row %" PRId64 " of partition %d of an everywhere table was copied twice",
                  found.offset, partition);
    }
    book_add_outputs(ledger, expected, outputs);
    copier_destroy(&copier);
    outputs_destroy(&outputs);
    buffer_fini(&copy);
    return fine;
}

static bool judge_copies(struct ledger *ledger, const struct reference_log *log,
                         struct output_book *expected)
{
    bool fine = true;
    for (int topic = 0; topic < (int)input_count(ledger) && fine; topic++) {
        for (int32_t p = 0;
             is_everywhere(ledger, topic) && p < partitions_of(ledger, topic) && fine; p++)
            fine = judge_copies_of(ledger, topic, p, log, expected);
    }
    return fine;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static bool judge_partition(struct ledger *ledger, int32_t partition,
                            const struct reference_log *log, struct output_book *expected)
{
    struct check *check = mem_alloc(sizeof *check);
    check->ledger = ledger;
    check->partition = partition;
    check->reference_log = log;
    check->expected = expected;
    map_create(&check->row_hashes, sizeof(uint64_t));
    map_create(&check->velocity, sizeof(int));
    map_create(&check->burst, sizeof(int));
    check->hash_capacity = 64;
    check->hashes = mem_alloc_array(check->hash_capacity, sizeof(uint64_t));
    check->nonces = mem_alloc_array(check->hash_capacity, sizeof(uint64_t));
    reference_task_init(&check->reference, &(struct reference_task_options){
                                               ledger->options.variant, ledger->options.partitions,
                                               ledger->options.partitioner });
    sim_read(ledger->options.cluster, ledger->topics->journal, partition, take_journal, check);
    struct commit_metadata metadata = { .seq = 0 };
    const bool fine = !check->bad && judge_metadata(check, &metadata) && judge_notes(check) &&
                      (metadata.seq == 0 || judge_fold(check, &metadata)) &&
                      (!ledger->options.straight || judge_straight(check)) &&
                      (!ledger->options.naive || judge_naive(check));
    reference_task_fini(&check->reference);
    map_destroy(&check->row_hashes);
    map_destroy(&check->velocity);
    map_destroy(&check->burst);
    mem_free(check->hashes);
    mem_free(check->nonces);
    mem_free(check);
    return fine;
}

bool ledger_judge(struct ledger *ledger)
{
    struct reference_log log = { .count = 0 };
    struct output_book expected;
    bool fine = ledger_watch(ledger);
    arena_create(&log.arena, ARENA_BLOCK);
    book_init(&expected);
    if (topics_have_everywhere(ledger->plan))
        sim_read(ledger->options.cluster, ledger->topics->reference, 0, take_reference, &log);
    for (int32_t p = 0; p < ledger->options.partitions && fine; p++)
        fine = judge_partition(ledger, p, &log, &expected);
    fine = fine && judge_copies(ledger, &log, &expected);
    fine = fine && judge_outputs(ledger, &expected, ALERT_PARTITIONS);
    book_fini(&expected);
    arena_destroy(&log.arena);
    mem_free(log.items);
    mem_free(log.offsets);
    return fine;
}
