#include "payments.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "schemas/avro_writer.h"

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"Payment\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"string\",\"aliases\":[\"tx\"]},"
    "{\"name\":\"user\",\"type\":\"string\"},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"cents\",\"type\":\"long\"},"
    "{\"name\":\"note\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"fraud\",\"type\":\"boolean\",\"default\":false}]}";

static const char topology[] = "topology: test\n"
                               "streams:\n"
                               "  payments:\n"
                               "    topic: payments\n"
                               "    format: json\n"
                               "    schema: payment.avsc\n"
                               "    key: user\n"
                               "    id: id\n"
                               "    time: at\n"
                               "    out_of_order: 30s\n"
                               "    dedupe: 1h\n"
                               "features:\n"
                               "  tx_1m: count(over 1m)\n"
                               "  spent_1h: sum(cents over 1h)\n"
                               "rules:\n"
                               "  many:\n"
                               "    when: tx_1m > 2\n"
                               "    severity: high\n"
                               "    message: \"{tx_1m} of {user}\"\n"
                               "  large:\n"
                               "    when: cents > 10000\n"
                               "    severity: low\n"
                               "    message: \"{cents}: {note}\"\n"
                               "outputs:\n"
                               "  alerts: { topic: alerts, format: json }\n";

enum { T = 1767225600 }; /* 2026-01-01T00:00:00Z */
#define MS(s) (INT64_C(1000) * (T + (s)))

/* u1's third to fifth are many; p6 and p7 are large, p7 an hour later; p9 comes late, p2 again. */
const struct payment payments[] = {
    { "p1", "u1", MS(0), 500, NULL, false },
    { "p2", "u1", MS(10), 700, "a, \"b\" and c", false },
    { "p3", "u1", MS(20), 900, NULL, true },
    { "p4", "u1", MS(30), 1, "", true },
    { "p5", "u1", MS(40), 2, NULL, false },
    { "p6", "u2", MS(50), 10001, "t\xc3\xa4xi", true },
    { "p2", "u1", MS(10), 700, "a, \"b\" and c", false },
    { "p7", "u2", MS(3700), 20000, "back\\slash", false },
    { "p8", "u3", MS(3710), 10000, NULL, true },
    { "p9", "u2", MS(3695), 1, NULL, false },
};
const size_t payment_count = sizeof payments / sizeof payments[0];

static bool find_schema(void *context, const char *name, struct bytes *content)
{
    (void)context;
    (void)name;
    *content = bytes_of_string(schema);
    return true;
}

struct plan *payments_plan(void)
{
    const struct topology_options options = { .find_embedded = find_schema };
    struct plan *plan = NULL;
    struct diagnostics diagnostics;
    struct error err = { .status = ST_OK };
    struct buffer wrong;
    buffer_init(&wrong);
    diagnostics_init(&diagnostics, "t.yaml");
    const enum status st = topology_load_text(&plan, "t.yaml", bytes_of_string(topology), &options,
                                              &diagnostics, &err);
    diagnostics_format(&diagnostics, &wrong);
    cr_assert_eq(st, ST_OK, "%s%s", buffer_text(&wrong), err.text);
    buffer_fini(&wrong);
    diagnostics_fini(&diagnostics);
    return plan;
}

struct bytes payments_schema(void)
{
    return bytes_of_string(schema);
}

/* --- files ---------------------------------------------------------------------------------- */

struct folder folder_make(void)
{
    struct folder folder;
    snprintf(folder.path, sizeof folder.path, "/tmp/weir-offline-XXXXXX");
    cr_assert_not_null(mkdtemp(folder.path));
    return folder;
}

void folder_remove(struct folder *folder)
{
    DIR *directory = opendir(folder->path);
    cr_assert_not_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder->path, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    closedir(directory);
    cr_assert_eq(rmdir(folder->path), 0);
}

const char *folder_write(const struct folder *folder, const char *name, struct bytes content)
{
    static char paths[8][512];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder->path, name);
    const bool packed = strlen(name) > 3 && strcmp(name + strlen(name) - 3, ".gz") == 0;
    gzFile file = gzopen(path, packed ? "wb" : "wbT"); /* T: as it is */
    cr_assert_not_null(file);
    if (content.size > 0)
        cr_assert_eq(gzwrite(file, content.data, (unsigned)content.size), (int)content.size);
    cr_assert_eq(gzclose(file), Z_OK);
    return path;
}

const char *folder_write_text(const struct folder *folder, const char *name, const char *content)
{
    return folder_write(folder, name, bytes_of_string(content));
}

/* --- formats -------------------------------------------------------------------------------- */

static void put_quoted(struct buffer *out, const char *text, char quote_by)
{
    buffer_put_u8(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || (quote_by == '\\' && *text == '\\'))
            buffer_put_u8(out, (uint8_t)quote_by);
        buffer_put_u8(out, (uint8_t)*text);
    }
    buffer_put_u8(out, '"');
}

/* The columns in another order than the schema's, and one that nobody reads. */
void payments_write_csv(struct buffer *out)
{
    buffer_put_string(out, "fraud,note,unread,cents,user,at,id\n");
    for (size_t i = 0; i < payment_count; i++) {
        const struct payment *p = &payments[i];
        buffer_put_string(out, p->fraud ? "1," : "0,");
        if (p->note != NULL && p->note[0] != '\0')
            put_quoted(out, p->note, '"');
        buffer_printf(out, ",x,%lld,%s,%lld,%s\n", (long long)p->cents, p->user,
                      (long long)p->at_ms, p->id);
    }
}

void payment_write_json(struct buffer *out, const struct payment *p)
{
    buffer_printf(out, "{\"id\":\"%s\",\"user\":\"%s\",\"at\":%lld,\"cents\":%lld,\"fraud\":%s",
                  p->id, p->user, (long long)p->at_ms, (long long)p->cents,
                  p->fraud ? "true" : "false");
    if (p->note != NULL && p->note[0] != '\0') {
        buffer_put_string(out, ",\"note\":");
        put_quoted(out, p->note, '\\');
    }
    buffer_put_u8(out, '}');
}

void payments_write_json(struct buffer *out)
{
    for (size_t i = 0; i < payment_count; i++) {
        payment_write_json(out, &payments[i]);
        buffer_put_u8(out, '\n');
    }
}

void payment_write_avro(struct buffer *out, const struct payment *p)
{
    const bool has_note = p->note != NULL && p->note[0] != '\0';
    avro_write_bytes(out, bytes_of_string(p->id));
    avro_write_bytes(out, bytes_of_string(p->user));
    avro_write_long(out, p->at_ms);
    avro_write_long(out, p->cents);
    avro_write_long(out, has_note ? 1 : 0);
    if (has_note)
        avro_write_bytes(out, bytes_of_string(p->note));
    avro_write_bool(out, p->fraud);
}

/* --- backtests ------------------------------------------------------------------------------ */

static void on_output(void *context, const struct output *output)
{
    struct run *run = context;
    if (output->kind == OUTPUT_ALERT) {
        alert_write_json(&run->log, output->alert);
        buffer_put_u8(&run->log, '\n');
    } else if (output->kind == OUTPUT_DEAD_LETTER) {
        buffer_printf(&run->log, "dead %s", status_reason(output->reason));
        for (size_t i = 0; i < output->header_count; i++)
            buffer_printf(&run->log, " %s=%.*s", output->headers[i].name,
                          (int)output->headers[i].value.size,
                          (const char *)output->headers[i].value.data);
        buffer_put_u8(&run->log, '\n');
    }
}

static void on_features(void *context, const struct plan_stream *stream, const struct value *slots,
                        struct bytes key, struct bytes id, int64_t time_us)
{
    struct run *run = context;
    buffer_printf(&run->features, "%.*s %.*s %lld", (int)id.size, (const char *)id.data,
                  (int)key.size, (const char *)key.data, (long long)(time_us / 1000000 - T));
    for (size_t i = 0; i < stream->feature_count; i++) {
        buffer_printf(&run->features, " %s=", stream->features[i].name);
        value_format(&run->features, &slots[stream->features[i].slot]);
    }
    buffer_put_u8(&run->features, '\n');
}

static void take_files(struct run *run, const char *const *paths, size_t count, const char *label,
                       bool alerts_unread)
{
    run->plan = payments_plan();
    const struct backtest_options options = {
        .plan = run->plan,
        .inputs = paths,
        .input_count = count,
        .label = label,
        .alerts_unread = alerts_unread,
        .on_output = alerts_unread ? NULL : on_output,
        .on_features = on_features,
        .context = run,
    };
    run->status = backtest_run(&run->result, &options, &run->err);
}

struct run run_files(const char *const *paths, size_t count, const char *label)
{
    struct run run = { .status = ST_OK };
    take_files(&run, paths, count, label, false);
    return run;
}

struct run run_unread(const char *path)
{
    struct run run = { .status = ST_OK };
    take_files(&run, &path, 1, "fraud", true);
    cr_assert_eq(run.status, ST_OK, "%s: %s", path, run.err.text);
    return run;
}

struct run run_file(const char *path)
{
    struct run run = run_files(&path, 1, "fraud");
    cr_assert_eq(run.status, ST_OK, "%s: %s", path, run.err.text);
    return run;
}

void run_fini(struct run *run)
{
    backtest_result_fini(&run->result);
    plan_destroy(&run->plan);
    buffer_fini(&run->log);
    buffer_fini(&run->features);
}
