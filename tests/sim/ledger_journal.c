#include "ledger_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/engine/lane.h"
#include "state/tail.h"

/* --- the journal, and the reference beside it ------------------------------------------------ */

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
    if (reader_u8(&in) != 2)
        return false;
    out->seq = (uint64_t)reader_zigzag(&in);
    out->nonce = (uint64_t)reader_zigzag(&in);
    out->incarnation = (uint64_t)reader_zigzag(&in);
    out->run_count = 0;
    for (int64_t left = reader_zigzag(&in); left > 0; left = reader_zigzag(&in)) {
        for (; left > 0 && !in.failed; left--) {
            ENSURE(out->run_count < sizeof out->runs / sizeof out->runs[0]);
            struct journal_input *run = &out->runs[out->run_count++];
            run->topic = read_text(&in);
            run->first = reader_zigzag(&in);
            run->last = reader_zigzag(&in);
            run->count = reader_zigzag(&in);
        }
    }
    if (reader_zigzag(&in) != 0) /* no record of these worlds is refused, or kills: none may be skipped */
        return false;
    out->poll_ms = reader_zigzag(&in);
    out->reference_offset = reader_zigzag(&in);
    read_text(&in);
    read_text(&in);
    out->output_count = reader_zigzag(&in);
    out->output_hash = read_hash(&in);
    out->previous = read_hash(&in);
    return reader_done(&in);
}

static void journal_check_wrong(struct journal_check *check, const char *what)
{
    check->bad = true;
    ledger_wrong(check->ledger, "partition %d seq %" PRIu64 ": %s", check->partition,
                 check->entry.seq, what);
}

static void feed_run(struct journal_check *check, const struct journal_input *run)
{
    struct ledger *ledger = check->ledger;
    const int topic = ledger_find_topic(ledger, run->topic);
    if (topic < 0 || ledger_is_everywhere(ledger, topic)) {
        journal_check_wrong(check, "the journal names a topic that is no input");
        return;
    }
    const struct input_log *log = &ledger->inputs[topic][check->partition];
    if (run->first != check->next_offset[topic] || run->last - run->first + 1 != run->count ||
        run->last >= (int64_t)log->count) {
        check->bad = true;
        ledger_wrong(ledger,
                     "partition %d seq %" PRIu64 ": the journal has offsets %" PRId64 "..%" PRId64
                     " (%" PRId64 ") of topic %d, the next is %" PRId64,
                     check->partition, check->entry.seq, run->first, run->last, run->count, topic,
                     check->next_offset[topic]);
        return;
    }
    for (int64_t offset = run->first; offset <= run->last; offset++)
        reference_task_feed(&check->reference, log->items[offset], check->entry.poll_ms);
    const struct fixture_record *last = log->items[run->last];
    check->seen[topic] = last_seen_of(&(struct log_record){ .offset = run->last,
                                                            .timestamp_ms = last->timestamp_ms,
                                                            .key = last->key,
                                                            .value = last->value });
    check->next_offset[topic] = run->last + 1;
}

static void adopt(struct journal_check *check)
{
    const struct reference_log *log = check->reference_log;
    while (check->adopted < log->count &&
           log->offsets[check->adopted] < check->entry.reference_offset)
        reference_task_adopt(&check->reference, log->items[check->adopted++]);
}

/* The rows of the tail record beside those of the reference, which are sorted here: a task and who drives it put theirs
 * in turn. */
struct row_compare {
    struct journal_check *check;
    struct row_change *rows; /* whole */
    size_t count, found;
    const char *difference;
};

static int by_key(const void *a, const void *b)
{
    return bytes_compare(((const struct row_change *)a)->key, ((const struct row_change *)b)->key);
}

static void sort_reference_rows(struct row_compare *compare)
{
    const struct row_change *rows;
    overlay_changes(compare->check->reference.overlay, &rows, &compare->count);
    compare->rows = mem_copy(rows, compare->count * sizeof *rows);
    qsort(compare->rows, compare->count, sizeof *compare->rows, by_key);
}

static bool row_wanted(void *context, const struct commit_metadata *metadata)
{
    (void)context;
    (void)metadata;
    return true;
}

/* What was before the position is judged with all rows (ledger_fold.c). */
static bool is_its_end(const struct row_change *change, struct bytes whole)
{
    if (change->position == 0)
        return bytes_equal(change->value, whole);
    return whole.data != NULL && change->position <= whole.size &&
           bytes_equal(change->value, bytes_of(whole.data + change->position, whole.size - change->position));
}

static enum status compare_row(void *context, const struct row_change *change, struct error *err)
{
    struct row_compare *compare = context;
    (void)err;
    if (compare->difference != NULL)
        return ST_OK;
    const struct row_change *row = bsearch(change, compare->rows, compare->count, sizeof *compare->rows, by_key);
    if (row == NULL)
        compare->difference = "its tail has another row than the reference";
    else if (!is_its_end(change, row->value))
        compare->difference = "its tail has another value than the reference";
    compare->found++; /* a row that is there twice would make them too many */
    if (compare->difference != NULL && compare->check->ledger->verdict[0] == '\0')
        snprintf(compare->check->ledger->verdict, LEDGER_VERDICT_SIZE,
                 "partition %d seq %" PRIu64 ": %s (row kind %d, %zu bytes, value %zu bytes)",
                 compare->check->partition, compare->check->entry.seq, compare->difference,
                 change->key.data[0], change->key.size, change->value.size);
    return ST_OK;
}

static enum status row_done(void *context, const struct commit_metadata *metadata,
                            const struct tail_input *inputs, size_t count, struct error *err)
{
    struct row_compare *compare = context;
    struct journal_check *check = compare->check;
    (void)metadata;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        const int topic = ledger_find_topic(check->ledger, inputs[i].topic);
        if (topic < 0 || inputs[i].next_offset != check->next_offset[topic])
            journal_check_wrong(check, "its tail has other input positions than the journal");
    }
    if (compare->found != compare->count)
        journal_check_wrong(check, "its tail lacks a row that the reference has");
    return ST_OK;
}

static void compare_tail(struct journal_check *check, struct bytes record)
{
    struct row_compare compare = { .check = check };
    const struct tail_reader_events events = { compare_row, row_done, row_wanted, &compare };
    struct tail_reader *reader = NULL;
    struct error err = { .status = ST_OK };
    sort_reference_rows(&compare);
    tail_reader_create(&reader, &events);
    if (tail_reader_feed(reader, record, &err) != ST_OK)
        journal_check_wrong(check, "its tail record is malformed");
    tail_reader_destroy(&reader);
    mem_free(compare.rows);
    check->bad |= compare.difference != NULL;
}

static void add_to_state(struct journal_check *check)
{
    const struct row_change *rows;
    size_t count;
    overlay_changes(check->reference.overlay, &rows, &count);
    for (size_t i = 0; i < count; i++) {
        uint64_t *hash = map_insert(check->row_hashes, rows[i].key, NULL);
        const uint64_t now =
            rows[i].value.data == NULL ? 0 : ledger_hash_row(rows[i].key, rows[i].value);
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

static void note_alert(struct journal_check *check, const struct alert *alert)
{
    struct map *ids = strcmp(alert->rule->name, "velocity") == 0 ? check->velocity
                      : strcmp(alert->rule->name, "burst") == 0  ? check->burst
                                                                 : NULL;
    if (ids != NULL)
        ++*(int *)map_insert(ids, alert->event.id, NULL);
}

/* The rows that the worker itself adds to those of the task. */
static void put_own_rows(struct journal_check *check, struct hash128 hash)
{
    const struct ledger *ledger = check->ledger;
    struct buffer row;
    size_t known = 0;
    buffer_init(&row);
    for (size_t i = 0; i < ledger_input_count(ledger); i++)
        known += check->seen[i].known;
    last_seen_write_head(&row, known);
    for (size_t i = 0; i < ledger_input_count(ledger); i++)
        if (check->seen[i].known)
            last_seen_write(&row, bytes_of_string(ledger->topics->items[i].name), &check->seen[i]);
    if (check->entry.run_count > 0)
        ENSURE(overlay_put(check->reference.overlay, last_seen_key(), buffer_view(&row), NULL) ==
               ST_OK);
    buffer_clear(&row);
    buffer_put_be64(&row, hash.high);
    buffer_put_be64(&row, hash.low);
    ENSURE(overlay_put(check->reference.overlay, lane_journal_key(), buffer_view(&row), NULL) ==
           ST_OK);
    buffer_fini(&row);
}

static void check_transaction(struct journal_check *check, struct hash128 hash)
{
    struct ledger *ledger = check->ledger;
    const struct journal_record *entry = &check->entry;
    const struct bytes *tail = map_find(ledger->partitions[check->partition].tails,
                                        bytes_of(&entry->nonce, sizeof(uint64_t)));
    struct commit_metadata metadata;
    if (tail == NULL || tail_peek(&metadata, *tail, NULL) != ST_OK || metadata.seq != entry->seq) {
        journal_check_wrong(check, "the journal has it, no tail record that was written does");
        return;
    }
    if (strcmp(check->owner, metadata.owners[0]) != 0 && entry->run_count > 0) {
        journal_check_wrong(check, "another owner processes without having claimed");
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
        journal_check_wrong(check, "it put out something else than the reference");
        return;
    }
    put_own_rows(check, hash);
    compare_tail(check, *tail);
    add_to_state(check);
    output_book_add(ledger, check->expected, outputs);
    check->output_chain = output_book_chain(check->output_chain, outputs);
    for (size_t i = 0; i < outputs_count(outputs); i++)
        if (outputs_at(outputs, i)->kind == OUTPUT_ALERT)
            note_alert(check, outputs_at(outputs, i)->alert);
    reference_task_commit(&check->reference);
    ledger->counts.transactions++;
}

void journal_check_take(void *context, const struct log_record *record,
                        const struct log_header *headers, size_t header_count)
{
    struct journal_check *check = context;
    (void)headers;
    (void)header_count;
    if (check->bad)
        return;
    if (!parse_journal(&check->entry, record->value)) {
        journal_check_wrong(check, "a journal record is malformed");
        return;
    }
    if (check->entry.seq != check->seq + 1) {
        check->bad = true;
        ledger_wrong(check->ledger, "partition %d: the journal has seq %" PRIu64 " after %" PRIu64,
                     check->partition, check->entry.seq, check->seq);
        return;
    }
    if (check->entry.previous.high != check->chain.high ||
        check->entry.previous.low != check->chain.low) {
        journal_check_wrong(check, "the journal's chain is broken");
        return;
    }
    check->seq = check->entry.seq;
    check->chain = hash128(record->value);
    check_transaction(check, check->chain);
}

bool journal_check_metadata(struct journal_check *check, struct commit_metadata *out)
{
    struct ledger *ledger = check->ledger;
    for (int topic = 0; topic < (int)ledger_input_count(ledger); topic++) {
        struct bytes text;
        struct commit_metadata found = { .seq = 0 };
        if (ledger_is_everywhere(ledger, topic))
            continue;
        const int64_t offset =
            sim_committed(ledger->options.cluster, topic, check->partition, &text);
        if (offset < 0 && check->seq == 0)
            continue;
        if (offset != check->next_offset[topic])
            return ledger_wrong(ledger,
                                "partition %d: offset %" PRId64
                                " of topic %d is committed, the journal ends at %" PRId64,
                                check->partition, offset, topic, check->next_offset[topic]);
        if (commit_metadata_parse(&found, text, NULL) != ST_OK || found.seq != check->seq ||
            found.nonce != check->nonces[check->seq])
            return ledger_wrong(ledger,
                                "partition %d: M on topic %d has seq %" PRIu64
                                ", the journal ends at %" PRIu64,
                                check->partition, topic, found.seq, check->seq);
        *out = found;
    }
    return true;
}

bool journal_check_notes(struct journal_check *check)
{
    struct ledger *ledger = check->ledger;
    const struct partition_ledger *of = &ledger->partitions[check->partition];
    for (size_t i = 0; i < of->note_count; i++) {
        const struct state_note *note = &of->notes[i];
        if (note->seq > check->seq || note->nonce != check->nonces[note->seq])
            return ledger_wrong(
                ledger, "partition %d: %s takes seq %" PRIu64 " for committed, which it is not",
                check->partition, note->who, note->seq);
        if (note->hash != check->hashes[note->seq])
            return ledger_wrong(
                ledger, "partition %d: the state of %s at seq %" PRIu64 " of %" PRIu64 " is wrong",
                check->partition, note->who, note->seq, check->seq);
    }
    return true;
}
