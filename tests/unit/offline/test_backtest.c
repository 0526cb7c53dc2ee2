#include "payments.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "schemas/avro_output.h"

static const char *write_avro(const struct folder *folder, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    struct avro_output *output = NULL;
    struct buffer datum;
    struct error err;
    buffer_init(&datum);
    cr_assert_eq(avro_output_create(&output, path, payments_schema(), "deflate", &err), ST_OK, "%s",
                 err.text);
    for (size_t i = 0; i < payment_count; i++) {
        buffer_clear(&datum);
        payment_write_avro(&datum, &payments[i]);
        cr_assert_eq(avro_output_append(output, buffer_view(&datum), &err), ST_OK, "%s", err.text);
    }
    cr_assert_eq(avro_output_finish(&output, &err), ST_OK, "%s", err.text);
    buffer_fini(&datum);
    return path;
}

static const char *write_with(const struct folder *folder, const char *name,
                              void (*write)(struct buffer *out))
{
    struct buffer text;
    buffer_init(&text);
    write(&text);
    const char *path = folder_write(folder, name, buffer_view(&text));
    buffer_fini(&text);
    return path;
}

static size_t count_lines(const char *text, const char *with)
{
    size_t count = 0;
    for (const char *at = strstr(text, with); at != NULL; at = strstr(at + 1, with))
        count++;
    return count;
}

Test(backtest, the_same_payments_give_the_same_alerts_from_every_format)
{
    struct folder folder = folder_make();
    struct run csv = run_file(write_with(&folder, "p.csv", payments_write_csv));
    const char *log = buffer_text(&csv.log);
    cr_expect_eq(count_lines(log, "\"rule\":\"many\""), 3, "%s", log);
    cr_expect_eq(count_lines(log, "\"rule\":\"large\""), 2, "%s", log);
    cr_expect(strstr(log, "\"message\":\"10001: t\xc3\xa4xi\"") != NULL, "%s", log);
    cr_expect(strstr(log, "\"mode\":\"replay\"") != NULL);
    const char *const others[] = {
        write_with(&folder, "p.csv.gz", payments_write_csv),
        write_with(&folder, "p.jsonl", payments_write_json),
        write_with(&folder, "p.jsonl.gz", payments_write_json),
        write_avro(&folder, "p.avro"),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct run other = run_file(others[i]);
        cr_expect_str_eq(buffer_text(&other.log), log, "%s", others[i]);
        cr_expect_str_eq(buffer_text(&other.features), buffer_text(&csv.features), "%s", others[i]);
        run_fini(&other);
    }
    run_fini(&csv);
    folder_remove(&folder);
}

Test(backtest, counts_what_it_saw)
{
    struct folder folder = folder_make();
    struct run run = run_file(write_with(&folder, "p.csv", payments_write_csv));
    cr_expect_eq(run.result.records, 10);
    cr_expect_eq(run.result.counters.events, 9);
    cr_expect_eq(run.result.counters.duplicates, 1);
    cr_expect_eq(run.result.partitions, 1);
    cr_expect_eq(run.result.rules[0].alerts, 3);
    cr_expect_eq(run.result.rules[1].alerts, 2);
    cr_expect_eq(run.result.rules[2].alerts, 5, "all rules together");
    run_fini(&run);
    folder_remove(&folder);
}

/* Frauds: p3, p4, p6, p8. many: p3, p4, p5; large: p6, p7. */
static void check_labels(const struct run *run)
{
    static const struct {
        uint64_t alerts, events, hits;
    } expected[] = { { 3, 3, 2 }, { 2, 2, 1 }, { 5, 5, 3 } };
    cr_assert(run->result.labelled);
    cr_expect_eq(run->result.frauds, 4);
    for (size_t i = 0; i < 3; i++) {
        const struct backtest_rule *rule = &run->result.rules[i];
        cr_expect_eq(rule->alerts, expected[i].alerts, "rule %zu: %lu", i, rule->alerts);
        cr_expect_eq(rule->events, expected[i].events, "rule %zu: %lu", i, rule->events);
        cr_expect_eq(rule->hits, expected[i].hits, "rule %zu: %lu", i, rule->hits);
    }
}

Test(backtest, holds_rules_against_labels)
{
    struct folder folder = folder_make();
    struct run run = run_file(write_with(&folder, "p.csv", payments_write_csv));
    check_labels(&run);
    run_fini(&run);
    run = run_unread(write_with(&folder, "p.csv", payments_write_csv));
    check_labels(&run);
    run_fini(&run);
    run = run_file(write_with(&folder, "p.jsonl", payments_write_json));
    cr_expect_not(run.result.labelled, "labels are columns of CSV");
    run_fini(&run);
    folder_remove(&folder);
}

Test(backtest, gives_every_feature_of_every_event)
{
    struct folder folder = folder_make();
    struct run run = run_file(write_with(&folder, "p.csv", payments_write_csv));
    cr_expect_str_eq(buffer_text(&run.features), "p1 u1 0 tx_1m=1 spent_1h=500\n"
                                                 "p2 u1 10 tx_1m=2 spent_1h=1200\n"
                                                 "p3 u1 20 tx_1m=3 spent_1h=2100\n"
                                                 "p4 u1 30 tx_1m=4 spent_1h=2101\n"
                                                 "p5 u1 40 tx_1m=5 spent_1h=2103\n"
                                                 "p6 u2 50 tx_1m=1 spent_1h=10001\n"
                                                 "p7 u2 3700 tx_1m=1 spent_1h=20000\n"
                                                 "p8 u3 3710 tx_1m=1 spent_1h=10000\n"
                                                 "p9 u2 3695 tx_1m=1 spent_1h=1\n");
    run_fini(&run);
    folder_remove(&folder);
}

Test(backtest, a_malformed_line_is_a_dead_letter_and_the_rest_goes_on)
{
    struct folder folder = folder_make();
    struct run run = run_file(folder_write_text(&folder, "p.csv",
                                                "id,user,at,cents\n"
                                                "a,u,1767225600000,1\n"
                                                "b,u,1767225601000\n"
                                                "c,u,1767225602000,12x\n"
                                                "d,\"u,1767225603000,1\n"
                                                "e,,1767225604000,1\n"
                                                "f,u,1767225605000,20000\n"));
    const char *log = buffer_text(&run.log);
    cr_expect_eq(run.result.counters.events, 2, "%s", log);
    cr_expect_eq(run.result.counters.dead_letters[ST_UNDECODABLE], 3);
    cr_expect_eq(run.result.counters.dead_letters[ST_NULL_KEY], 1);
    static const char *const wanted[] = {
        "dead undecodable",      "3 fields, where the header has 4",
        "column 'cents' is not", "a quoted field does not end",
        "dead null_key",         "weir.source.offset=1",
        "weir.source.offset=4",  "\"rule\":\"large\"",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        cr_expect(strstr(log, wanted[i]) != NULL, "%s in\n%s", wanted[i], log);
    run_fini(&run);
    folder_remove(&folder);
}

Test(backtest, a_header_without_a_needed_column_is_refused_by_name)
{
    struct folder folder = folder_make();
    static const struct {
        const char *header, *expected;
    } rows[] = {
        { "id,user,at,cent\n",
          "no column 'cents', and the schema no default for it; is it 'cent'?" },
        { "id,user,at,cent\na,u,0,1\n", "no column 'cents'" },
        { "amount\n", "no column '" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *path = folder_write_text(&folder, "p.csv", rows[i].header);
        struct run run = run_files(&path, 1, NULL);
        cr_expect_eq(run.status, ST_INVALID, "%s", rows[i].header);
        cr_expect(strstr(run.err.text, rows[i].expected) != NULL &&
                      strstr(run.err.text, path) != NULL,
                  "%s", run.err.text);
        run_fini(&run);
    }
    folder_remove(&folder);
}

/* Every file brings its own header; events are numbered over all of them. */
Test(backtest, files_of_different_formats_follow_each_other)
{
    struct folder folder = folder_make();
    const char *const paths[] = {
        folder_write_text(&folder, "1.csv",
                          "id,user,at,cents,fraud\na,u,1767225600000,1,0\nb,u,1767225601000,1,0\n"),
        folder_write_text(&folder, "2.csv.gz", "fraud,cents,at,user,id\n1,1,1767225602000,u,c\n"),
        folder_write_text(&folder, "3.jsonl",
                          "{\"id\":\"d\",\"user\":\"u\",\"at\":1767225603000,\"cents\":1}\n"),
    };
    struct run run = run_files(paths, 3, "fraud");
    cr_assert_eq(run.status, ST_OK, "%s", run.err.text);
    const char *log = buffer_text(&run.log);
    cr_expect_eq(run.result.counters.events, 4, "%s", log);
    cr_expect_eq(run.result.rules[0].alerts, 2, "%s", log);
    cr_expect_eq(run.result.rules[0].hits, 1, "%s", log);
    cr_expect(strstr(log, "\"source_offset\":3") != NULL, "%s", log);
    run_fini(&run);
    folder_remove(&folder);
}

Test(backtest, a_missing_file_is_named)
{
    const char *const path = "/nowhere/p.csv";
    struct run run = run_files(&path, 1, NULL);
    cr_expect_eq(run.status, ST_NOT_FOUND);
    cr_expect(strstr(run.err.text, path) != NULL, "%s", run.err.text);
    run_fini(&run);
}
