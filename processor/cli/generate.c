/* weir generate: realistic payments, with attacks and mistakes, to Kafka or to a file. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "processor/cli/command.h"
#include "processor/cli/connection.h"
#include "processor/cli/generate_sink.h"
#include "processor/cli/interrupt.h"
#include "processor/cli/load.h"
#include "processor/expression/expression.h"
#include "processor/offline/generator_payload.h"
#include "schemas/rfc3339.h"

enum {
    USERS_BY_DEFAULT = 100 * 1000,
    PAYMENTS_PER_ATTACK = 1000,
    PROGRESS_US = 500 * 1000,
    LOOK_EVERY = 1024,
    WAIT_STEP_US = 2000
};
static const int64_t second_us = 1000 * 1000;
static const int64_t span_by_default_us = INT64_C(24) * 3600 * 1000 * 1000;

struct generate {
    const struct arguments *arguments;
    struct generator_options options;
    int64_t batch;   /* events in all; 0: no end */
    int64_t seconds; /* 0: no end */
    bool paced;      /* as time goes by, or as fast as possible */
    struct generate_sink *sink;
    struct generator *generator;
    FILE *truth;
    struct buffer line;
    /* What was written. */
    int64_t events, duplicates, started_us, elapsed_us;
    int64_t attacked[ATTACK_COUNT], poisoned[POISON_COUNT];
};

/* --- options -------------------------------------------------------------------------------------- */

static enum status take_number(const struct arguments *arguments, const char *name,
                               double otherwise, double *out, struct error *err)
{
    const char *text = arguments_text(arguments, name, NULL);
    *out = otherwise;
    if (text == NULL)
        return ST_OK;
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end != '\0' || !(*out >= 0))
        return FAIL(err, ST_INVALID, "--%s takes a number, not '%s'", name, text);
    return ST_OK;
}

static enum status take_attacks(const char *list, uint32_t *out, struct error *err)
{
    *out = 0;
    if (strcmp(list, "none") == 0)
        return ST_OK;
    if (strcmp(list, "all") == 0) {
        *out = GENERATOR_ALL_ATTACKS;
        return ST_OK;
    }
    while (*list != '\0') {
        const size_t size = strcspn(list, ",");
        const enum generator_attack attack = generator_attack_of_name(bytes_of(list, size));
        if (attack == ATTACK_NONE) {
            AUTO(mem_auto_free) char *name = mem_copy_string_n(list, size);
            struct nearest_name nearest = { .wanted = name };
            for (int i = 1; i < ATTACK_COUNT; i++)
                nearest_name_offer(&nearest, generator_attack_name((enum generator_attack)i));
            return FAIL(err, ST_INVALID, "there is no attack '%s'%s%s", name,
                        nearest.best == NULL ? "" : "; did you mean ",
                        nearest.best == NULL ? "" : nearest.best);
        }
        *out |= 1u << attack;
        list += size + (list[size] == ',');
    }
    return ST_OK;
}

static enum status take_shares(struct generate *generate, struct error *err)
{
    struct generator_options *options = &generate->options;
    const struct arguments *arguments = generate->arguments;
    TRY(take_number(arguments, "poison", 0, &options->poison_share, err));
    TRY(take_number(arguments, "late", 0.005, &options->late_share, err));
    TRY(take_number(arguments, "duplicates", 0.005, &options->duplicate_share, err));
    TRY(take_number(arguments, "out-of-order", 0.02, &options->out_of_order_share, err));
    return take_attacks(arguments_text(arguments, "attacks", "all"), &options->attacks, err);
}

/* How many payments a second, and from when. */
static enum status take_time(struct generate *generate, struct error *err)
{
    const struct clock clock = clock_real();
    struct generator_options *options = &generate->options;
    const struct arguments *arguments = generate->arguments;
    const char *start = arguments_text(arguments, "start", NULL);
    const char *span = arguments_text(arguments, "span", NULL);
    int64_t span_us = span_by_default_us, start_us;
    if (span != NULL && (!duration_parse(&span_us, span) || span_us <= 0))
        return FAIL(err, ST_INVALID, "--span: '%s' is no duration; write 24h or 30m", span);
    generate->paced = generate->batch == 0;
    options->daily_rhythm = !arguments_has(arguments, "rate");
    const double rate = (double)generate->batch * (double)second_us / (double)span_us;
    TRY(take_number(arguments, "rate", rate, &options->per_second, err));
    if (!generate->paced)
        span_us = (int64_t)((double)generate->batch / options->per_second * (double)second_us);
    options->start_ms = clock_wall_ms(&clock) - (generate->paced ? 0 : span_us / 1000);
    if (start != NULL) {
        if (!rfc3339_parse_time(&start_us, bytes_of_string(start)))
            return FAIL(err, ST_INVALID, "--start: '%s' is no time; write 2026-01-31T12:00:00Z",
                        start);
        options->start_ms = start_us / 1000;
    }
    double every;
    TRY(take_number(arguments, "attack-every", PAYMENTS_PER_ATTACK, &every, err));
    options->attack_interval_ms = (int64_t)(every * 1000 / options->per_second) + 1;
    return ST_OK;
}

static enum status take_options(struct generate *generate, struct error *err)
{
    const struct arguments *arguments = generate->arguments;
    int64_t seed, users;
    TRY(arguments_integer(arguments, "batch", 0, &generate->batch, err));
    TRY(arguments_integer(arguments, "seconds", 0, &generate->seconds, err));
    TRY(arguments_integer(arguments, "seed", 1, &seed, err));
    TRY(arguments_integer(arguments, "users", USERS_BY_DEFAULT, &users, err));
    if (generate->batch < 0 || generate->seconds < 0 || users < 1 || users > UINT32_MAX)
        return FAIL(err, ST_INVALID, "--batch, --seconds and --users take positive numbers");
    if (generate->batch == 0 && !arguments_has(arguments, "rate"))
        return FAIL(err, ST_INVALID, "say how many: --batch N as fast as possible, or --rate R a "
                                     "second");
    generate->options.seed = (uint64_t)seed;
    generate->options.user_count = (uint32_t)users;
    TRY(take_shares(generate, err));
    return take_time(generate, err);
}

static enum status take_placement(const struct arguments *arguments,
                                  struct traffic_options *traffic, struct error *err)
{
    const char *name = arguments_text(arguments, "partitioner", "murmur2");
    traffic->keyless = strcmp(name, "none") == 0;
    if (traffic->keyless)
        traffic->placement = KAFKA_PLACE_TURNS;
    else if (strcmp(name, "murmur2") == 0)
        traffic->placement = KAFKA_PLACE_MURMUR2;
    else if (strcmp(name, "crc32") == 0)
        traffic->placement = KAFKA_PLACE_CRC32;
    else
        return FAIL(err, ST_INVALID, "--partitioner: '%s' is none of murmur2, crc32, none", name);
    return ST_OK;
}

/* --- the work ------------------------------------------------------------------------------------- */

static enum status write_truth(struct generate *generate, const struct generator_event *event,
                               struct error *err)
{
    if (generate->truth == NULL)
        return ST_OK;
    buffer_clear(&generate->line);
    generator_write_truth(&generate->line, event, generate->options.encoding);
    buffer_put_u8(&generate->line, '\n');
    const struct bytes line = buffer_view(&generate->line);
    if (fwrite(line.data, 1, line.size, generate->truth) != line.size)
        return FAIL(err, ST_IO_FAILED, "--truth: %s", strerror(errno));
    return ST_OK;
}

static void count(struct generate *generate, const struct generator_event *event)
{
    generate->events++;
    generate->duplicates += event->duplicate;
    generate->attacked[event->attack]++;
    generate->poisoned[event->poison]++;
}

static void show_progress(const struct generate *generate, const struct clock *clock)
{
    const int64_t elapsed_us = clock_us(clock) - generate->started_us + 1;
    fprintf(stderr, "\r%" PRId64 " events, %" PRId64 "/s ", generate->events,
            (int64_t)((double)generate->events * (double)second_us / (double)elapsed_us));
}

/* Until the event is due. false: it is time to stop. */
static bool wait_for(const struct generate *generate, int64_t arrival_ms, const struct clock *clock,
                     const atomic_bool *stop)
{
    const int64_t due_us =
        generate->started_us + (arrival_ms - generate->options.start_ms) * 1000;
    const int64_t end_us = generate->seconds == 0
                               ? INT64_MAX
                               : generate->started_us + generate->seconds * second_us;
    int64_t now_us = clock_us(clock);
    while (now_us < due_us && now_us < end_us && !atomic_load(stop)) {
        clock_sleep_us(clock, due_us - now_us < WAIT_STEP_US ? due_us - now_us : WAIT_STEP_US);
        now_us = clock_us(clock);
    }
    return now_us < end_us && !atomic_load(stop);
}

static enum status write_events(struct generate *generate, struct error *err)
{
    const struct clock clock = clock_real();
    const atomic_bool *stop = interrupt_flag();
    const bool progress = isatty(STDERR_FILENO) != 0;
    int64_t shown_us = clock_us(&clock);
    generate->started_us = shown_us;
    while (generate->batch == 0 || generate->events < generate->batch) {
        struct generator_event event;
        generator_next(generate->generator, &event);
        if (generate->paced && !wait_for(generate, event.arrival_ms, &clock, stop))
            break;
        TRY(generate_sink_write(generate->sink, &event, err));
        TRY(write_truth(generate, &event, err));
        count(generate, &event);
        if (!generate->paced && generate->events % LOOK_EVERY != 0)
            continue;
        if (atomic_load(stop))
            break;
        if (progress && clock_us(&clock) - shown_us > PROGRESS_US) {
            shown_us = clock_us(&clock);
            show_progress(generate, &clock);
        }
    }
    TRY(generate_sink_finish(generate->sink, err));
    generate->elapsed_us = clock_us(&clock) - generate->started_us;
    if (progress)
        fputs("\r", stderr);
    return ST_OK;
}

static enum status generate_all(struct generate *generate, struct error *err)
{
    const char *truth = arguments_text(generate->arguments, "truth", NULL);
    generate->options.encoding = generate_sink_encoding(generate->sink);
    TRY(generator_create(&generate->generator, &generate->options, err));
    if (truth != NULL && (generate->truth = fopen(truth, "wb")) == NULL)
        return FAIL(err, ST_IO_FAILED, "--truth: %s: %s", truth, strerror(errno));
    if (!arguments_has(generate->arguments, "no-tables"))
        TRY(generate_sink_write_tables(generate->sink, generate->generator, err));
    TRY(write_events(generate, err));
    if (generate->truth != NULL && fflush(generate->truth) != 0)
        return FAIL(err, ST_IO_FAILED, "--truth: %s: %s", truth, strerror(errno));
    return ST_OK;
}

static enum status generate_to_kafka(struct generate *generate, struct error *err)
{
    struct connection connection;
    struct registry *registry = NULL;
    enum status st = connection_open(&connection, generate->arguments, err);
    struct traffic_options traffic = { .plan = connection.plan, .kafka = &connection.kafka };
    if (st == ST_OK)
        st = take_placement(generate->arguments, &traffic, err);
    if (st == ST_OK && load_uses_avro(connection.plan))
        st = config_open_registry(&connection.config, &registry, err);
    traffic.registry = registry;
    if (st == ST_OK)
        st = generate_sink_open_kafka(&generate->sink, &traffic, err);
    if (st == ST_OK)
        st = generate_all(generate, err);
    generate_sink_close(&generate->sink);
    registry_close(&registry);
    connection_close(&connection);
    return st;
}

static enum status generate_to_file(struct generate *generate, const char *path, struct error *err)
{
    const char *format = arguments_text(generate->arguments, "format", NULL);
    TRY(generate_sink_open_file(&generate->sink, path, format, err));
    const enum status st = generate_all(generate, err);
    generate_sink_close(&generate->sink);
    return st;
}

/* --- what was done -------------------------------------------------------------------------------- */

/* On stderr when the events themselves go to stdout. */
static void report(const struct generate *generate, FILE *out)
{
    const double seconds = (double)generate->elapsed_us / (double)second_us;
    fprintf(out, "%" PRId64 " events in %.1f s (%.0f/s), %" PRId64 " of them twice\n",
            generate->events, seconds, (double)generate->events / (seconds > 0 ? seconds : 1),
            generate->duplicates);
    for (int i = 1; i < ATTACK_COUNT; i++) {
        if (generate->attacked[i] > 0)
            fprintf(out, "  attack %-22s %8" PRIu64 " begun, %8" PRId64 " payments\n",
                    generator_attack_name((enum generator_attack)i),
                    generator_attack_count(generate->generator, (enum generator_attack)i),
                    generate->attacked[i]);
    }
    for (int i = 1; i < POISON_COUNT; i++) {
        if (generate->poisoned[i] > 0)
            fprintf(out, "  poison %-22s %8" PRId64 "\n",
                    generator_poison_name((enum generator_poison)i), generate->poisoned[i]);
    }
}

static void report_json(const struct generate *generate, FILE *out)
{
    fprintf(out, "{\"events\":%" PRId64 ",\"duplicates\":%" PRId64 ",\"elapsed_us\":%" PRId64
                 ",\"attacks\":{", generate->events, generate->duplicates, generate->elapsed_us);
    const char *comma = "";
    for (int i = 1; i < ATTACK_COUNT; i++) {
        fprintf(out, "%s\"%s\":{\"begun\":%" PRIu64 ",\"payments\":%" PRId64 "}", comma,
                generator_attack_name((enum generator_attack)i),
                generator_attack_count(generate->generator, (enum generator_attack)i),
                generate->attacked[i]);
        comma = ",";
    }
    fputs("},\"poison\":{", out);
    comma = "";
    for (int i = 1; i < POISON_COUNT; i++) {
        fprintf(out, "%s\"%s\":%" PRId64, comma, generator_poison_name((enum generator_poison)i),
                generate->poisoned[i]);
        comma = ",";
    }
    fputs("}}\n", out);
}

static int run(const struct arguments *arguments)
{
    struct error err;
    struct generate generate = { .arguments = arguments };
    const char *path = arguments_text(arguments, "output", NULL);
    buffer_init(&generate.line);
    enum status st = take_options(&generate, &err);
    if (st == ST_OK)
        st = path == NULL ? generate_to_kafka(&generate, &err)
                          : generate_to_file(&generate, path, &err);
    FILE *out = path != NULL && strcmp(path, "-") == 0 ? stderr : stdout;
    if (st == ST_OK && arguments_has(arguments, "json"))
        report_json(&generate, out);
    else if (st == ST_OK)
        report(&generate, out);
    generator_destroy(&generate.generator);
    buffer_fini(&generate.line);
    if (generate.truth != NULL)
        fclose(generate.truth);
    return st == ST_OK ? EXIT_CODE_OK : command_failed(&err);
}

static const struct option options[] = {
    { "batch", "N", "So many events, as fast as possible." },
    { "rate", "R", "Payments a second; without --batch as time goes by." },
    { "seconds", "N", "With --rate alone: stop after so long." },
    { "span", "DURATION", "The event time that a batch covers; default: 24h." },
    { "start", "TIME", "Event time of the first payment; default: a batch ends about now." },
    { "seed", "N", "The same seed and start give the same events; default: 1." },
    { "users", "N", "Default: 100000." },
    { "attacks", "LIST", "all, none, or names separated by commas; default: all." },
    { "attack-every", "N", "Payments between two attacks; default: 1000." },
    { "poison", "SHARE", "Records that must become dead letters; default: 0." },
    { "late", "SHARE", "Payments that arrive 1 to 45 minutes late; default: 0.005." },
    { "out-of-order", "SHARE", "Payments that arrive up to 30 s late; default: 0.02." },
    { "duplicates", "SHARE", "Payments that arrive twice; default: 0.005." },
    { "partitioner", "NAME", "murmur2, crc32, or none: no keys; default: murmur2." },
    { "no-tables", NULL, "Leave out the users and the black-list, which are written first." },
    { "output", "FILE", "To a file instead of Kafka: .jsonl, .csv or .avro; - is the terminal." },
    { "format", "NAME", "With --output: json, csv or avro, whatever the name." },
    { "truth", "FILE", "What each event is meant to be, as JSON lines." },
    { "json", NULL, "The summary as JSON." },
    { "config", "FILE", "Settings; default: ./weir.yaml." },
    { "schemas", "DIR", "Where schemas are looked up after the topology's own directory." },
    { .name = NULL },
};

const struct command command_generate = {
    .name = "generate",
    .operands = "[TOPOLOGY]",
    .summary = "Realistic payments with named attacks, to Kafka or a file.",
    .description =
        "Writes payments of users with habits into the topics of a topology: users and black-list first, then\n"
        "events in the order of their arrival, some late, out of order, twice or broken, and attacks: slow_burn,\n"
        "velocity, straddle, out_of_order_straddle, test_then_spend, high_amount, blocked_merchant,\n"
        "impossible_travel, new_device, location_mismatch.",
    .example = "weir generate card-fraud-local.yaml --batch 1000000 --poison 0.001 --truth truth.jsonl",
    .options = options,
    .run = run,
};
