#include "ledger_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

/* --- what was put out ------------------------------------------------------------------------ */

void output_book_init(struct output_book *book)
{
    *book = (struct output_book){ .total = 0 };
    map_create(&book->counts, sizeof(int64_t));
    map_create(&book->chains, sizeof(uint64_t));
    buffer_init(&book->scratch);
}

void output_book_fini(struct output_book *book)
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

void output_book_add(struct ledger *ledger, struct output_book *book, const struct outputs *outputs)
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
        ledger_wrong(actual->ledger, "%s at offset %" PRId64 " of partition %d (key %.*s): %s",
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
            return ledger_wrong(ledger, "the alerts of key %.*s are not in the order of its events",
                                (int)it.key.size, (const char *)it.key.data);
    }
    return true;
}

bool ledger_judge_outputs(struct ledger *ledger, struct output_book *expected,
                          int32_t alert_partitions)
{
    struct output_book book;
    output_book_init(&book);
    struct actual actual = { ledger, expected, &book, true, false };
    for (int32_t p = 0; p < alert_partitions; p++)
        sim_read(ledger->options.cluster, ledger->topics->alerts, p, take_actual, &actual);
    actual.is_alert = false;
    sim_read(ledger->options.cluster, ledger->topics->dead_letters, 0, take_actual, &actual);
    bool fine = !actual.bad;
    if (fine && book.total != expected->total)
        fine = ledger_wrong(ledger,
                            "%" PRIu64 " alerts and dead letters are there, %" PRIu64 " should be",
                            book.total, expected->total);
    fine = fine && compare_chains(ledger, expected, &book);
    output_book_fini(&book);
    return fine;
}

uint64_t output_book_chain(uint64_t chain, const struct outputs *outputs)
{
    for (size_t i = 0; i < outputs_count(outputs); i++) {
        const struct output *output = outputs_at(outputs, i);
        const uint64_t link[] = { chain, hash64(output->value), hash64(output->key),
                                  (uint64_t)output->kind };
        chain = hash64(bytes_of(link, sizeof link));
    }
    return chain;
}
