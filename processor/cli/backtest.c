/* weir backtest: files through the same engine. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include "base/embedded.h"
#include "base/ensure.h"
#include "processor/cli/command.h"
#include "processor/cli/load.h"
#include "processor/offline/backtest.h"
#include "schemas/avro_output.h"

enum { INPUTS_MAX = 64 };

struct sinks {
    FILE *features, *alerts, *dead_letters;
    struct avro_output *alerts_avro;
    const struct plan *plan;
    struct buffer line;
    enum status status; /* of the first write that failed */
    struct error error;
};

/* --- what is written while it runs ---------------------------------------------------------------------------------------- */

static void put_csv(struct buffer *out, struct bytes text)
{
    bool plain = true;
    for (size_t i = 0; i < text.size && plain; i++)
        plain = text.data[i] != '"' && text.data[i] != ',' && text.data[i] != '\n' && text.data[i] != '\r';
    if (plain) {
        buffer_put_bytes(out, text);
        return;
    }
    buffer_put_u8(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            buffer_put_u8(out, '"');
        buffer_put_u8(out, text.data[i]);
    }
    buffer_put_u8(out, '"');
}

static void put_value(struct buffer *out, const struct value *v)
{
    if (value_is_null(v))
        return;
    struct buffer text;
    buffer_init(&text);
    value_format(&text, v);
    put_csv(out, buffer_view(&text));
    buffer_fini(&text);
}

static void write_line(struct sinks *sinks, FILE *file)
{
    buffer_put_u8(&sinks->line, '\n');
    fwrite(buffer_view(&sinks->line).data, 1, sinks->line.size, file);
    buffer_clear(&sinks->line);
}

static void write_features_header(struct sinks *sinks)
{
    const struct plan_stream *stream = &sinks->plan->streams[0];
    buffer_put_string(&sinks->line, "id,key,time");
    for (size_t i = 0; i < stream->feature_count; i++)
        buffer_printf(&sinks->line, ",%s", stream->features[i].name);
    write_line(sinks, sinks->features);
}

static void on_features(void *context, const struct plan_stream *stream, const struct value *slots, struct bytes key,
                        struct bytes id, int64_t time_us)
{
    struct sinks *sinks = context;
    const struct value time = value_timestamp(time_us);
    put_csv(&sinks->line, id);
    buffer_put_u8(&sinks->line, ',');
    put_csv(&sinks->line, key);
    buffer_put_u8(&sinks->line, ',');
    put_value(&sinks->line, &time);
    for (size_t i = 0; i < stream->feature_count; i++) {
        buffer_put_u8(&sinks->line, ',');
        put_value(&sinks->line, &slots[stream->features[i].slot]);
    }
    write_line(sinks, sinks->features);
}

/* The same datum as in Kafka, there behind the registry's framing. */
static void write_datum(struct sinks *sinks, const struct alert *alert)
{
    alert_write_avro(&sinks->line, alert);
    if (sinks->status == ST_OK)
        sinks->status = avro_output_append(sinks->alerts_avro, buffer_view(&sinks->line), &sinks->error);
    buffer_clear(&sinks->line);
}

static void on_output(void *context, const struct output *output)
{
    struct sinks *sinks = context;
    if (output->kind == OUTPUT_ALERT && sinks->alerts_avro != NULL) {
        write_datum(sinks, output->alert);
    } else if (output->kind == OUTPUT_ALERT && sinks->alerts != NULL) {
        alert_write_json(&sinks->line, output->alert);
        write_line(sinks, sinks->alerts);
    } else if (output->kind == OUTPUT_DEAD_LETTER && sinks->dead_letters != NULL) {
        buffer_printf(&sinks->line, "{\"reason\":\"%s\"", status_reason(output->reason));
        for (size_t i = 2; i < output->header_count && i < 5; i++) {
            buffer_printf(&sinks->line, ",\"%s\":\"", strrchr(output->headers[i].name, '.') + 1);
            buffer_put_bytes(&sinks->line, output->headers[i].value);
            buffer_put_u8(&sinks->line, '"');
        }
        buffer_put_u8(&sinks->line, '}');
        write_line(sinks, sinks->dead_letters);
    }
}

/* --- the result -------------------------------------------------------------------------------------------------------------- */

static void print_rule(const char *name, const char *severity, const struct backtest_rule *rule,
                       const struct backtest_result *result)
{
    printf("%-24s %-9s %12" PRIu64, name, severity, rule->alerts);
    if (result->labelled) {
        printf(" %10" PRIu64 " %9" PRIu64, rule->events, rule->hits);
        if (rule->events > 0)
            printf(" %9.1f%%", 100.0 * (double)rule->hits / (double)rule->events);
        else
            printf(" %10s", "-");
        if (result->frauds > 0)
            printf(" %7.1f%%", 100.0 * (double)rule->hits / (double)result->frauds);
    }
    putchar('\n');
}

static void print_table(const struct plan *plan, const struct backtest_result *result)
{
    printf("%-24s %-9s %12s", "rule", "severity", "alerts");
    if (result->labelled)
        printf(" %10s %9s %10s %8s", "events", "fraud", "precision", "recall");
    putchar('\n');
    for (size_t i = 0; i < plan->rule_count; i++)
        print_rule(plan->rules[i].name, severity_name(plan->rules[i].severity), &result->rules[i], result);
    print_rule("any", "", &result->rules[plan->rule_count], result);
    printf("\n%" PRIu64 " records, %" PRIu64 " events, %" PRIu64 " late, %" PRIu64 " duplicates", result->records,
           result->counters.events, result->counters.late, result->counters.duplicates);
    if (result->labelled)
        printf(", %" PRIu64 " frauds", result->frauds);
    if (result->warm_up > 0)
        printf("; %" PRIu64 " of the records lie before the range", result->warm_up);
    putchar('\n');
    for (int status = 0; status < STATUS_COUNT; status++) {
        if (result->counters.dead_letters[status] > 0)
            printf("%" PRIu64 " refused: %s\n", result->counters.dead_letters[status],
                   status_reason((enum status)status));
    }
    const double seconds = (double)result->elapsed_us / 1e6, cpu = (double)result->cpu_us / 1e6;
    printf("%.2f s, %.2f s of CPU, %.0f records/s\n", seconds, cpu,
           seconds > 0 ? (double)result->records / seconds : 0.0);
}

static void print_json(const struct plan *plan, const struct backtest_result *result)
{
    printf("{\"topology\":\"%s\",\"records\":%" PRIu64 ",\"warm_up\":%" PRIu64 ",\"events\":%" PRIu64 ",\"late\":%" PRIu64
           ",\"duplicates\":%" PRIu64 ",\"frauds\":%" PRIu64 ",\"elapsed_us\":%" PRId64 ",\"cpu_us\":%" PRId64
           ",\"rules\":{", plan->name, result->records, result->warm_up,
           result->counters.events, result->counters.late,
           result->counters.duplicates, result->frauds, result->elapsed_us, result->cpu_us);
    for (size_t i = 0; i < plan->rule_count; i++)
        printf("%s\"%s\":{\"alerts\":%" PRIu64 ",\"events\":%" PRIu64 ",\"frauds\":%" PRIu64 ",\"unknown\":%" PRIu64 "}",
               i == 0 ? "" : ",", plan->rules[i].name, result->rules[i].alerts, result->rules[i].events,
               result->rules[i].hits, result->counters.rule_unknown[i]);
    printf("},\"dead_letters\":{");
    bool first = true;
    for (int status = 0; status < STATUS_COUNT; status++) {
        if (result->counters.dead_letters[status] == 0)
            continue;
        printf("%s\"%s\":%" PRIu64, first ? "" : ",", status_reason((enum status)status),
               result->counters.dead_letters[status]);
        first = false;
    }
    puts("}}");
}

/* --- the command ---------------------------------------------------------------------------------------------------------------- */

static enum status open_sink(const struct arguments *arguments, const char *option, FILE **out, struct error *err)
{
    const char *path = arguments_text(arguments, option, NULL);
    if (path == NULL)
        return ST_OK;
    *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    return *out != NULL ? ST_OK : FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
}

static enum status open_alerts(const struct arguments *arguments, struct sinks *sinks, struct error *err)
{
    static const char ending[] = ".avro";
    const char *path = arguments_text(arguments, "alerts", NULL);
    const size_t size = path == NULL ? 0 : strlen(path);
    if (size < sizeof ending || strcmp(path + size - (sizeof ending - 1), ending) != 0)
        return open_sink(arguments, "alerts", &sinks->alerts, err);
    const struct embedded_file *schema = embedded_find("schemas/fraud-alert.avsc");
    ENSURE(schema != NULL);
    return avro_output_create(&sinks->alerts_avro, path, bytes_of(schema->data, schema->size), "deflate", err);
}

static enum status close_alerts(struct sinks *sinks, struct error *err)
{
    if (sinks->status != ST_OK) {
        *err = sinks->error;
        return sinks->status;
    }
    return sinks->alerts_avro == NULL ? ST_OK : avro_output_finish(&sinks->alerts_avro, err);
}

static enum status close_sink(FILE *file, struct error *err)
{
    if (file == NULL || (file == stdout && fflush(file) == 0) || (file != stdout && fclose(file) == 0))
        return ST_OK;
    return FAIL(err, ST_IO_FAILED, "writing a result: %s", strerror(errno));
}

static enum status open_registry(const struct arguments *arguments, struct registry **out, struct error *err)
{
    const char *directory = arguments_text(arguments, "registry", NULL);
    if (directory != NULL)
        return registry_open_directory(out, directory, err);
    registry_open_memory(out);
    return ST_OK;
}

static enum status backtest(const struct arguments *arguments, const struct plan *plan, struct sinks *sinks,
                            struct error *err)
{
    AUTO(registry_close) struct registry *registry = NULL;
    const char *inputs[INPUTS_MAX];
    struct backtest_options options = {
        .plan = plan, .inputs = inputs, .on_output = on_output, .context = sinks,
        .label = arguments_text(arguments, "label", "fraud"),
        .label_required = arguments_has(arguments, "label"),
        .alerts_unread = sinks->alerts == NULL && sinks->alerts_avro == NULL,
    };
    const char *input;
    while (options.input_count < INPUTS_MAX && (input = arguments_nth(arguments, "input", options.input_count)) != NULL)
        inputs[options.input_count++] = input;
    if (options.input_count == 0)
        return FAIL(err, ST_INVALID, "what shall be read? give --input FILE");
    TRY(open_registry(arguments, &registry, err));
    options.registry = registry;
    if (sinks->features != NULL) {
        options.on_features = on_features;
        write_features_header(sinks);
    }
    struct backtest_result result;
    const enum status st = backtest_run(&result, &options, err);
    if (st == ST_OK && arguments_has(arguments, "json"))
        print_json(plan, &result);
    else if (st == ST_OK)
        print_table(plan, &result);
    backtest_result_fini(&result);
    return st;
}

static enum status run_with(const struct arguments *arguments, struct error *err)
{
    AUTO(plan_destroy) struct plan *plan = NULL;
    struct sinks sinks = { .features = NULL };
    TRY(load_topology(&plan, arguments, NULL, err));
    sinks.plan = plan;
    TRY(open_sink(arguments, "features", &sinks.features, err));
    TRY(open_alerts(arguments, &sinks, err));
    TRY(open_sink(arguments, "dead-letters", &sinks.dead_letters, err));
    enum status st = backtest(arguments, plan, &sinks, err);
    buffer_fini(&sinks.line);
    if (st == ST_OK)
        st = close_alerts(&sinks, err);
    avro_output_destroy(&sinks.alerts_avro);
    FILE *const files[] = { sinks.features, sinks.alerts, sinks.dead_letters };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (st == ST_OK)
            st = close_sink(files[i], err);
    }
    return st;
}

static int run(const struct arguments *arguments)
{
    struct error err;
    return run_with(arguments, &err) == ST_OK ? EXIT_CODE_OK : command_failed(&err);
}

static const struct option options[] = {
    { "input", "FILE", "What to read: .csv, .jsonl or .avro (also .gz), or an export. May be repeated." },
    { "alerts", "FILE", "Write alerts as JSON lines; to a FILE.avro as Avro, as live ones but for their mode." },
    { "features", "FILE", "Write every feature of every event as CSV." },
    { "dead-letters", "FILE", "Write where refused records lay and why, as JSON lines." },
    { "label", "COLUMN", "CSV column that says which events were fraud; default: fraud." },
    { "registry", "DIR", "Schemas of exported Avro records, as `weir export` wrote them." },
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { "json", NULL, "The result as JSON." },
    { .name = NULL },
};

const struct command command_backtest = {
    .name = "backtest",
    .operands = "TOPOLOGY",
    .summary = "Run a topology over a file: what would it have alerted?",
    .description = "Reads files through the same engine that runs live and prints alerts per rule; with a label column also\n"
                   "precision and recall. State starts empty, and nothing is written but what is asked for; the alerts' mode is\n"
                   "`replay`.",
    .example = "weir backtest topologies/handbook.yaml --input transactions.csv.gz --alerts alerts.jsonl",
    .options = options,
    .run = run,
};
