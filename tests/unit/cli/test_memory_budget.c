/* The one memory number: every byte is in one part, and too little is refused with what would do. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "processor/cli/memory_budget.h"

static const int64_t mib = 1 << 20;

Test(memory_budget, is_split_without_a_rest)
{
    static const struct {
        int64_t memory, workers;
    } rows[] = { { 256, 1 }, { 256, 2 }, { 512, 1 }, { 1024, 4 }, { 1 << 20, 64 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct memory_budget b;
        struct error err;
        const int64_t bytes = rows[i].memory * mib + 77;
        cr_assert_eq(memory_budget_split(&b, bytes, rows[i].workers, &err), ST_OK, "%s", err.text);
        cr_expect_eq(b.fixed + b.entities + b.uncheckpointed + b.rows + b.blocks + b.memtables +
                         b.fetched + b.transactions,
                     (uint64_t)bytes);
        /* RocksDB's least memtable is 1 MiB, of which three are needed. */
        cr_expect_geq(b.memtables, 3 * (uint64_t)mib);
        cr_expect_geq(b.transactions / (uint64_t)rows[i].workers, 4 * (uint64_t)mib);
    }
}

Test(memory_budget, too_little_is_refused_with_what_would_be_enough)
{
    for (int64_t workers = 1; workers <= 16; workers *= 4) {
        struct memory_budget budget;
        struct error err;
        cr_assert_eq(memory_budget_split(&budget, 64 * mib, workers, &err), ST_INVALID);
        const char *at = strstr(err.text, "at least ");
        cr_assert_not_null(at, "%s", err.text);
        const int64_t least = atoll(at + strlen("at least "));
        cr_expect_eq(memory_budget_split(&budget, least * mib, workers, &err), ST_OK);
        cr_expect_eq(memory_budget_split(&budget, least * mib - 1, workers, &err), ST_INVALID);
    }
}

Test(memory_budget, names_every_part)
{
    struct memory_budget budget;
    struct buffer text;
    buffer_init(&text);
    cr_assert_eq(memory_budget_split(&budget, 512 * mib, 1, NULL), ST_OK);
    memory_budget_describe(&budget, &text);
    static const char *const names[] = { "fixed=",  "entities=",  "uncheckpointed=", "rows=",
                                         "blocks=", "memtables=", "fetched=",        "transactions=" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cr_expect_not_null(strstr(buffer_text(&text), names[i]), "%s", names[i]);
    buffer_fini(&text);
}
