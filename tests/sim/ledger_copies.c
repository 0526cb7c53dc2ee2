#include "ledger_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/engine/reference.h"

/* --- everywhere tables: each good row is copied once, each bad one is a dead letter ---------- */

void reference_log_take(void *context, const struct log_record *record,
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
            ledger_wrong(ledger,
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
            ledger_wrong(ledger,
                         "row %" PRId64 " of partition %d of an everywhere table was copied twice",
                         found.offset, partition);
    }
    output_book_add(ledger, expected, outputs);
    copier_destroy(&copier);
    outputs_destroy(&outputs);
    buffer_fini(&copy);
    return fine;
}

bool ledger_judge_copies(struct ledger *ledger, const struct reference_log *log,
                         struct output_book *expected)
{
    bool fine = true;
    for (int topic = 0; topic < (int)ledger_input_count(ledger) && fine; topic++) {
        for (int32_t p = 0;
             ledger_is_everywhere(ledger, topic) && p < ledger_partitions_of(ledger, topic) && fine;
             p++)
            fine = judge_copies_of(ledger, topic, p, log, expected);
    }
    return fine;
}
