#include "payments.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"
#include "processor/offline/file_source.h"
#include "schemas/avro_output.h"
#include "schemas/avro_writer.h"

/* Record by record: those that came together, one after the other. */
struct one_by_one {
    struct file_source *source;
    const struct file_record *records;
    size_t count;
};

static enum status next(struct one_by_one *from, struct file_record *record, bool *end, struct error *err)
{
    *end = false;
    if (from->count == 0)
        TRY(file_source_next(from->source, &from->records, &from->count, end, err));
    cr_expect_eq(from->count == 0, *end);
    if (*end)
        return ST_OK;
    *record = *from->records++;
    from->count--;
    return ST_OK;
}

/* The values of all records with `|` between them, or "! " and what is wrong. */
static const char *read_all(const char *path)
{
    static char text[4096];
    struct one_by_one from = { .source = NULL };
    struct file_record record;
    struct error err = { .status = ST_OK };
    size_t size = 0;
    bool end = false;
    text[0] = '\0';
    enum status st = file_source_open(&from.source, path, &err);
    for (int64_t n = 0; st == ST_OK; n++) {
        st = next(&from, &record, &end, &err);
        if (st != ST_OK || end)
            break;
        cr_expect_eq(record.offset, n);
        cr_expect_null(record.topic);
        cr_expect_eq(record.timestamp_ms, -1);
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%.*s", n == 0 ? "" : "|",
                                 (int)record.value.size, (const char *)record.value.data);
    }
    if (st != ST_OK)
        snprintf(text, sizeof text, "! %s: %s", status_name(st), err.text);
    file_source_close(&from.source);
    return text;
}

Test(file_source, gives_the_lines_of_a_text)
{
    static const struct {
        const char *name, *content, *expected;
    } rows[] = {
        { "a.jsonl", "{}\n{\"a\":1}\n", "{}|{\"a\":1}" },
        { "b.jsonl", "{}\n{\"a\":1}", "{}|{\"a\":1}" },
        { "c.json", "1\r\n\r\n\n2\r\n", "1|2" },
        { "d.ndjson", "", "" },
        { "e.jsonl.gz", "1\n2\n3\n", "1|2|3" },
        { "f.csv", "a,b\n1,2\n3,4\n", "1,2|3,4" },
        { "g.csv.gz", "a,b\r\n1,2\r\n", "1,2" },
        { "h.csv", "a,b\n", "" },
    };
    struct folder folder = folder_make();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect_str_eq(read_all(folder_write_text(&folder, rows[i].name, rows[i].content)),
                         rows[i].expected, "%s", rows[i].name);
    folder_remove(&folder);
}

Test(file_source, says_what_is_wrong_with_a_file)
{
    struct folder folder = folder_make();
    static const struct {
        const char *name, *content, *expected;
    } rows[] = {
        { "a.txt", "x", "the name must end in .csv, .jsonl or .avro (or these and .gz)" },
        { "gz", "x", "the name must end in .csv, .jsonl or .avro (or these and .gz)" },
        { "b.csv", "", "an empty file; CSV begins with a header of column names" },
        { "c.avro", "no Avro at all", "CORRUPT" },
        { "missing.csv", NULL, "No such file or directory" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folder.path, rows[i].name);
        if (rows[i].content != NULL)
            folder_write_text(&folder, rows[i].name, rows[i].content);
        const char *answer = read_all(path);
        cr_expect(answer[0] == '!' && strstr(answer, rows[i].expected) != NULL &&
                      strstr(answer, path) != NULL,
                  "%s: %s", rows[i].name, answer);
    }
    folder_remove(&folder);
}

/* Incompressible, so that half of the file is half of the text. */
Test(file_source, a_packed_file_that_is_cut_short_is_refused)
{
    struct folder folder = folder_make();
    struct buffer text;
    buffer_init(&text);
    uint64_t x = 1;
    for (int i = 0; i < 20000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        buffer_printf(&text, "%016lx\n", x);
    }
    const char *path = folder_write(&folder, "a.jsonl.gz", buffer_view(&text));
    cr_assert_eq(truncate(path, 50000), 0);
    struct one_by_one from = { .source = NULL };
    struct file_record record;
    struct error err;
    bool end = false;
    size_t count = 0;
    cr_assert_eq(file_source_open(&from.source, path, &err), ST_OK);
    enum status st;
    while ((st = next(&from, &record, &end, &err)) == ST_OK && !end)
        count++;
    cr_expect_eq(st, ST_CORRUPT, "after %zu lines", count);
    cr_expect(strstr(err.text, "cut short") != NULL, "%s", err.text);
    file_source_close(&from.source);
    buffer_fini(&text);
    folder_remove(&folder);
}

Test(file_source, lines_longer_than_a_block_come_whole)
{
    enum { LONG = 700000 };
    struct folder folder = folder_make();
    struct buffer text;
    buffer_init(&text);
    buffer_put_string(&text, "first\n");
    for (int i = 0; i < LONG; i++)
        buffer_put_u8(&text, (uint8_t)('a' + i % 26));
    buffer_put_string(&text, "\nlast\n");
    struct one_by_one from = { .source = NULL };
    struct file_record record;
    struct error err;
    bool end;
    cr_assert_eq(
        file_source_open(&from.source, folder_write(&folder, "a.jsonl", buffer_view(&text)), &err),
        ST_OK);
    static const size_t sizes[] = { 5, LONG, 4 };
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(next(&from, &record, &end, &err), ST_OK);
        cr_assert(!end && record.value.size == sizes[i], "line %zu: %zu", i, record.value.size);
    }
    cr_expect(record.value.data[0] == 'l');
    file_source_close(&from.source);
    buffer_fini(&text);
    folder_remove(&folder);
}

Test(file_source, finds_a_column_of_csv)
{
    struct folder folder = folder_make();
    struct one_by_one from = { .source = NULL };
    struct error err;
    cr_assert_eq(
        file_source_open(&from.source,
                         folder_write_text(&folder, "a.csv", "\xef\xbb\xbfid,\"fraud\",x\n"), &err),
        ST_OK);
    cr_expect_eq(file_source_csv_column(from.source, "fraud"), 1);
    cr_expect_eq(file_source_csv_column(from.source, "id"), 0,
                 "a byte order mark is no part of the first name");
    cr_expect_eq(file_source_csv_column(from.source, "frau"), -1);
    file_source_close(&from.source);
    cr_assert_eq(
        file_source_open(&from.source, folder_write_text(&folder, "a.jsonl", "id,fraud\n"), &err),
        ST_OK);
    cr_expect_eq(file_source_csv_column(from.source, "fraud"), -1);
    file_source_close(&from.source);
    folder_remove(&folder);
}

/* As export.c writes them. */
struct exported {
    const char *topic;
    int32_t partition;
    int64_t offset, timestamp_ms;
    const char *key, *value; /* NULL: null */
    bool warm_up;
};

static void put_optional(struct buffer *out, const char *text)
{
    avro_write_long(out, text == NULL ? 0 : 1);
    if (text != NULL)
        avro_write_bytes(out, bytes_of_string(text));
}

static const char *write_export(const struct folder *folder, int32_t partitions,
                                const struct exported *records, size_t count)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/e.avro", folder->path);
    struct avro_output *output = NULL;
    struct buffer text;
    struct error err;
    buffer_init(&text);
    export_schema_write(&text, partitions);
    cr_assert_eq(avro_output_create(&output, path, buffer_view(&text), "deflate", &err), ST_OK,
                 "%s", err.text);
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&text);
        avro_write_bytes(&text, bytes_of_string(records[i].topic));
        avro_write_long(&text, records[i].partition);
        avro_write_long(&text, records[i].offset);
        avro_write_long(&text, records[i].timestamp_ms);
        put_optional(&text, records[i].key);
        put_optional(&text, records[i].value);
        avro_write_bool(&text, records[i].warm_up);
        cr_assert_eq(avro_output_append(output, buffer_view(&text), &err), ST_OK, "%s", err.text);
    }
    cr_assert_eq(avro_output_finish(&output, &err), ST_OK, "%s", err.text);
    buffer_fini(&text);
    return path;
}

static bool is_text(struct bytes found, const char *expected)
{
    return expected == NULL ? found.data == NULL : bytes_equal(found, bytes_of_string(expected));
}

Test(file_source, gives_back_exported_records_as_they_lay_in_kafka)
{
    static const struct exported records[] = {
        { "payments", 0, 0, 1767225600000, "u1", "{}", true },
        { "payments", 3, INT64_C(5000000000), 0, NULL, "x", false },
        { "users", 2, 7, -1, "", NULL, false },
        { "payments", 0, 1, 1, "u2", "", false },
    };
    enum { COUNT = sizeof records / sizeof records[0] };
    struct folder folder = folder_make();
    struct one_by_one from = { .source = NULL };
    struct error err;
    cr_assert_eq(file_source_open(&from.source, write_export(&folder, 4, records, COUNT), &err), ST_OK,
                 "%s", err.text);
    cr_expect_eq(file_source_format(from.source), FILE_EXPORT);
    int64_t partitions = 0;
    cr_expect(file_source_export_partitions(from.source, &partitions));
    cr_expect_eq(partitions, 4);
    struct file_record found;
    bool end;
    for (size_t i = 0; i < COUNT; i++) {
        const struct exported *expected = &records[i];
        cr_assert_eq(next(&from, &found, &end, &err), ST_OK, "%s", err.text);
        cr_assert_not(end);
        cr_expect_str_eq(found.topic, expected->topic);
        cr_expect(found.partition == expected->partition && found.offset == expected->offset &&
                      found.timestamp_ms == expected->timestamp_ms &&
                      found.warm_up == expected->warm_up,
                  "record %zu", i);
        cr_expect(is_text(found.key, expected->key) && is_text(found.value, expected->value),
                  "record %zu", i);
    }
    cr_assert_eq(next(&from, &found, &end, &err), ST_OK);
    cr_expect(end);
    file_source_close(&from.source);
    folder_remove(&folder);
}

/* Several at once, from blocks that hold more than that and do not end where that many do. */
Test(file_source, many_exported_records_come_in_order)
{
    enum { COUNT = 20000 };
    struct exported *records = mem_alloc_array(COUNT, sizeof *records);
    for (int64_t i = 0; i < COUNT; i++)
        records[i] = (struct exported){ i % 3 == 0 ? "users" : "payments", (int)(i % 5), i, i, "key", "value", false };
    struct folder folder = folder_make();
    struct one_by_one from = { .source = NULL };
    struct file_record found;
    struct error err;
    bool end;
    cr_assert_eq(file_source_open(&from.source, write_export(&folder, 5, records, COUNT), &err), ST_OK, "%s", err.text);
    size_t most = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        cr_assert(next(&from, &found, &end, &err) == ST_OK && !end, "%s", err.text);
        cr_expect(found.offset == i && found.partition == i % 5 && is_text(found.value, "value"));
        cr_expect_str_eq(found.topic, records[i].topic);
        most = from.count + 1 > most ? from.count + 1 : most;
    }
    cr_expect_gt(most, 1);
    cr_assert_eq(next(&from, &found, &end, &err), ST_OK);
    cr_expect(end);
    file_source_close(&from.source);
    mem_free(records);
    folder_remove(&folder);
}

Test(file_source, refuses_exported_records_from_nowhere)
{
    static const struct exported rows[] = {
        { "payments", -1, 0, 0, NULL, NULL, false },
        { "payments", 0, -1, 0, NULL, NULL, false },
    };
    struct folder folder = folder_make();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct one_by_one from = { .source = NULL };
        struct file_record found;
        struct error err;
        bool end;
        cr_assert_eq(file_source_open(&from.source, write_export(&folder, 1, &rows[i], 1), &err), ST_OK,
                     "%s", err.text);
        cr_expect_eq(next(&from, &found, &end, &err), ST_CORRUPT, "row %zu", i);
        file_source_close(&from.source);
    }
    folder_remove(&folder);
}

/* The payments as an export of one partition: the backtest of it is the backtest of the file. */
Test(file_source, an_export_of_a_stream_gives_the_alerts_of_its_file)
{
    struct folder folder = folder_make();
    struct exported records[16];
    for (size_t i = 0; i < payment_count; i++) {
        struct buffer json;
        buffer_init(&json);
        payment_write_json(&json, &payments[i]);
        records[i] = (struct exported){
            "payments",
            0,
            (int64_t)i,
            payments[i].at_ms,
            payments[i].user,
            mem_copy_string(buffer_text(&json)),
            false,
        };
        buffer_fini(&json);
    }
    struct buffer lines;
    buffer_init(&lines);
    payments_write_json(&lines);
    struct run expected = run_file(folder_write(&folder, "p.jsonl", buffer_view(&lines)));
    struct run run = run_file(write_export(&folder, 1, records, payment_count));
    cr_expect_str_eq(buffer_text(&run.log), buffer_text(&expected.log));
    cr_expect_gt(run.log.size, 0);

    const char *const both[] = { folder_write(&folder, "p.jsonl", buffer_view(&lines)),
                                 write_export(&folder, 1, records, payment_count) };
    struct run mixed = run_files(both, 2, NULL);
    cr_expect_eq(mixed.status, ST_INVALID);
    cr_expect(strstr(mixed.err.text, "do not go together") != NULL, "%s", mixed.err.text);
    for (size_t i = 0; i < payment_count; i++)
        mem_free((void *)records[i].value);
    run_fini(&mixed);
    run_fini(&run);
    run_fini(&expected);
    buffer_fini(&lines);
    folder_remove(&folder);
}
