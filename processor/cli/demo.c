/* weir demo: generator, Kafka, registry and the real worker in one process, to watch. */
#define _GNU_SOURCE /* nftw */

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "processor/cli/command.h"
#include "processor/cli/config.h"
#include "processor/cli/demo_board.h"
#include "processor/cli/demo_traffic.h"
#include "processor/cli/interrupt.h"
#include "processor/cli/load.h"
#include "processor/cli/service.h"
#include "processor/cli/traffic.h"
#include "processor/kafka/kafka_mock.h"
#include "processor/kafka/topic_check.h"

enum {
    PARTITIONS = 4,
    RATE_BY_DEFAULT = 500,
    RATE_MAX = 20000, /* the in-process cluster keeps 5 MB of a partition */
    REMOVE_DEPTH = 16,
    SESSION_US = 6 * 1000 * 1000, /* the least that brokers allow by default */
    SESSION_GRACE_US = 3 * 1000 * 1000,
    SESSION_LOOK_US = 250 * 1000
};

struct demo {
    const struct arguments *arguments;
    bool kafka, json;
    int64_t rate, seconds, seed;
    double poison_share;
    struct config config;
    struct plan *plan;
    struct topics topics;
    char *state; /* a directory of our own, removed at the end */
    struct kafka_mock *mock;
    struct kafka_admin *admin;
    struct registry *registry;
    struct kafka_property properties[CONFIG_PROPERTIES_MAX];
    struct kafka_port_options options;
    struct traffic *traffic;
    struct demo_board *board;
    struct service *service;
    struct demo_traffic *source;
    bool good;
};

/* --- settings ------------------------------------------------------------------------------------- */

static void set_text(char **member, const char *text)
{
    mem_free(*member);
    *member = mem_copy_string(text);
}

static enum status make_state_directory(struct demo *demo, struct error *err)
{
    const char *parent = getenv("TMPDIR");
    demo->state = mem_format("%s/weir-demo-XXXXXX", parent == NULL ? "/tmp" : parent);
    if (mkdtemp(demo->state) != NULL)
        return ST_OK;
    const enum status st = FAIL(err, ST_IO_FAILED, "%s: %s", demo->state, strerror(errno));
    mem_free(TAKE(demo->state));
    return st;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static enum status take_options(struct demo *demo, struct error *err)
{
    const struct arguments *arguments = demo->arguments;
    if (arguments->operand_count > 0)
        return FAIL(err, ST_INVALID, "the demo takes no operand: it brings its topology along");
    TRY(arguments_integer(arguments, "rate", RATE_BY_DEFAULT, &demo->rate, err));
    TRY(arguments_integer(arguments, "seconds", 0, &demo->seconds, err));
    TRY(arguments_integer(arguments, "seed", 1, &demo->seed, err));
    if (demo->rate < 1 || demo->rate > RATE_MAX)
        return FAIL(err, ST_INVALID, "--rate goes from 1 to %d", RATE_MAX);
    if (demo->seconds < 0 || (demo->seconds == 0 && arguments_has(arguments, "check")))
        return FAIL(err, ST_INVALID, "--check needs --seconds, 45 or more");
    demo->kafka = arguments_has(arguments, "kafka");
    demo->json = arguments_has(arguments, "json");
    demo->poison_share = 0.001;
    return ST_OK;
}

static enum status take_config(struct demo *demo, struct error *err)
{
    struct config *config = &demo->config;
    TRY(config_load(config, arguments_text(demo->arguments, "config", NULL), err));
    TRY(make_state_directory(demo, err));
    set_text(&config->state, demo->state);
    set_text(&config->start, "earliest");
    config->session_timeout_us = SESSION_US;
    set_text(&config->http, arguments_text(demo->arguments, "http", ""));
    TRY(arguments_integer(demo->arguments, "workers", config->workers, &config->workers, err));
    if (config->workers < 1 || config->workers > PARTITIONS)
        return FAIL(err, ST_INVALID, "--workers goes from 1 to %d", PARTITIONS);
    if (!arguments_has(demo->arguments, "verbose"))
        log_set_level(LOG_LEVEL_ERROR);
    if (!demo->kafka)
        set_text(&config->brokers, "");
    else if (config->brokers[0] == '\0')
        return FAIL(err, ST_INVALID, "where is Kafka? set brokers in weir.yaml, or WEIR_BROKERS");
    return ST_OK;
}

/* --- topology ------------------------------------------------------------------------------------- */

/*
 * On somebody's cluster every name gets a prefix of its own, so that nothing is read or written that
 * is not the demo's.
 */
static void put_prefixed(struct buffer *out, struct bytes text, const char *prefix)
{
    static const char *const names[] = { "topology: ", "topic: " };
    for (size_t i = 0; i < text.size; i++) {
        buffer_put_u8(out, text.data[i]);
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++) {
            const size_t size = strlen(names[j]);
            if (i + 1 >= size && memcmp(text.data + i + 1 - size, names[j], size) == 0)
                buffer_put_string(out, prefix);
        }
    }
}

static enum status load_plan(struct demo *demo, struct error *err)
{
    static const char name[] = "card-fraud-local.yaml";
    const struct topology_options options = { .find_embedded = load_embedded };
    struct bytes text;
    struct buffer prefixed, wrong;
    struct diagnostics diagnostics;
    char prefix[32] = "";
    ENSURE(load_embedded(NULL, name, &text));
    if (demo->kafka)
        snprintf(prefix, sizeof prefix, "demo-%08x-", (unsigned)random_nonce());
    buffer_init(&prefixed);
    buffer_init(&wrong);
    put_prefixed(&prefixed, text, prefix);
    diagnostics_init(&diagnostics, name);
    const enum status st = topology_load_text(&demo->plan, name, buffer_view(&prefixed), &options,
                                              &diagnostics, err);
    diagnostics_format(&diagnostics, &wrong);
    fputs(buffer_text(&wrong), stderr);
    diagnostics_fini(&diagnostics);
    buffer_fini(&wrong);
    buffer_fini(&prefixed);
    if (st == ST_OK)
        topics_init(&demo->topics, demo->plan);
    return st;
}

/* --- Kafka ---------------------------------------------------------------------------------------- */

static enum status open_mock(struct demo *demo, struct error *err)
{
    TRY(kafka_mock_open(&demo->mock, 1, err));
    for (int i = 0; i < demo->topics.count; i++) {
        const int partitions = demo->topics.items[i].role == TOPIC_REFERENCE ? 1 : PARTITIONS;
        TRY(kafka_mock_create_topic(demo->mock, demo->topics.items[i].name, partitions, err));
    }
    return ST_OK;
}

static enum status make_topics(struct demo *demo, struct error *err)
{
    struct topic_findings findings;
    const struct topic_check_options options = {
        .plan = demo->plan,
        .topics = &demo->topics,
        .replication = 1,
        .dev = true, /* they live as long as the demo */
        .create = true,
        .input_partitions = PARTITIONS,
    };
    TRY(kafka_admin_open(&demo->admin, &demo->options, err));
    return topic_check_run(&findings, demo->admin, &options, err);
}

static enum status open_kafka(struct demo *demo, struct error *err)
{
    /* Payments go out one by one, as from a cash desk. */
    static const struct kafka_property producer[] = {
        { "linger.ms", "0" },
        { "queue.buffering.max.messages", "100000" },
    };
    const struct config *config = &demo->config;
    for (size_t i = 0; demo->kafka && i < config->property_count; i++)
        demo->properties[i] =
            (struct kafka_property){ config->properties[i].name, config->properties[i].value };
    if (!demo->kafka)
        TRY(open_mock(demo, err));
    demo->options = (struct kafka_port_options){
        .bootstrap_servers = demo->kafka ? config->brokers : NULL,
        .common = { demo->properties, demo->kafka ? config->property_count : 0 },
        .producer = { producer, sizeof producer / sizeof producer[0] },
        .group_id = demo->plan->name,
        .mock = demo->mock,
    };
    return demo->kafka ? make_topics(demo, err) : ST_OK;
}

/* Generator and workers are one process: without a registry of its own the demo needs none. */
static enum status open_registry(struct demo *demo, struct error *err)
{
    const struct config *config = &demo->config;
    const bool own = config->registry_url[0] != '\0' || config->registry_directory[0] != '\0';
    if (demo->kafka && own)
        return config_open_registry(config, &demo->registry, err);
    registry_open_memory(&demo->registry);
    return ST_OK;
}

/* Static members leave the group when their session ends, not before. */
static enum status remove_group(struct demo *demo, struct error *err)
{
    const struct clock clock = clock_real();
    const int64_t end_us = clock_us(&clock) + demo->config.session_timeout_us + SESSION_GRACE_US;
    for (;;) {
        const enum status st = kafka_admin_delete_group(demo->admin, demo->plan->name, err);
        if (st != ST_REFUSED || clock_us(&clock) > end_us)
            return st;
        clock_sleep_us(&clock, SESSION_LOOK_US);
    }
}

/* Leaves the cluster as it was. */
static void remove_topics(struct demo *demo)
{
    struct error err;
    for (int i = 0; i < demo->topics.count; i++) {
        if (kafka_admin_delete_topic(demo->admin, demo->topics.items[i].name, &err) != ST_OK)
            fprintf(stderr, "weir: %s\n", err.text);
    }
    if (remove_group(demo, &err) != ST_OK)
        fprintf(stderr, "weir: %s\n", err.text);
}

/* --- running -------------------------------------------------------------------------------------- */

static enum status open_all(struct demo *demo, struct error *err)
{
    TRY(take_options(demo, err));
    TRY(take_config(demo, err));
    TRY(load_plan(demo, err));
    TRY(open_kafka(demo, err));
    TRY(open_registry(demo, err));
    const struct traffic_options traffic = {
        .plan = demo->plan,
        .kafka = &demo->options,
        .registry = demo->registry,
        .placement = KAFKA_PLACE_MURMUR2,
    };
    TRY(traffic_open(&demo->traffic, &traffic, err));
    demo_board_create(&demo->board, demo->plan, traffic_encoding(demo->traffic), demo->json);
    const struct service_options service = {
        .plan = demo->plan,
        .config = &demo->config,
        .registry = demo->registry,
        .mock = demo->mock,
        .on_output = demo_board_output,
        .on_output_context = demo->board,
    };
    TRY(service_open(&demo->service, &service, err));
    const struct demo_traffic_options source = {
        .traffic = demo->traffic,
        .service = demo->service,
        .board = demo->board,
        .interrupted = interrupt_flag(),
        .seed = (uint64_t)demo->seed,
        .per_second = (double)demo->rate,
        .poison_share = demo->poison_share,
        .seconds = demo->seconds,
    };
    return demo_traffic_create(&demo->source, &source, err);
}

static void introduce(const struct demo *demo)
{
    if (demo->json)
        return;
    printf("weir demo: %lld payments a second, and each minute one attack of every kind.\n",
           (long long)demo->rate);
    if (demo->kafka)
        printf("On Kafka at %s, in topics whose names begin with %s; removed at the end.\n",
               demo->config.brokers, demo->plan->name);
    else
        puts("Kafka is librdkafka's mock cluster in this process: it shows the code path, not "
             "exactly-once.\n`weir demo --kafka` does the same on a real broker.");
    puts("First the last six hours are made up and processed. Ctrl-C ends it.\n");
    fflush(stdout);
}

static enum status run_all(struct demo *demo, struct error *err)
{
    TRY(open_all(demo, err));
    introduce(demo);
    demo_traffic_start(demo->source);
    const enum status served = service_run(demo->service, demo_traffic_done(demo->source), err);
    struct error other;
    const enum status sent = demo_traffic_join(demo->source, &other);
    const struct demo_totals totals = demo_traffic_totals(demo->service);
    demo->good = demo_board_summarise(demo->board, &totals);
    if (served == ST_OK && sent != ST_OK)
        *err = other;
    return served != ST_OK ? served : sent;
}

static void close_all(struct demo *demo)
{
    demo_traffic_destroy(&demo->source);
    service_close(&demo->service);
    demo_board_destroy(&demo->board);
    traffic_close(&demo->traffic);
    if (demo->admin != NULL)
        remove_topics(demo);
    kafka_admin_close(&demo->admin);
    kafka_mock_close(&demo->mock);
    registry_close(&demo->registry);
    topics_fini(&demo->topics);
    plan_destroy(&demo->plan);
    config_fini(&demo->config);
    if (demo->state != NULL)
        nftw(demo->state, remove_one, REMOVE_DEPTH, FTW_DEPTH | FTW_PHYS);
    mem_free(demo->state);
}

static int run(const struct arguments *arguments)
{
    struct error err;
    struct demo demo = { .arguments = arguments };
    const enum status st = run_all(&demo, &err);
    close_all(&demo);
    if (st != ST_OK)
        return command_failed(&err);
    return demo.good || !arguments_has(arguments, "check") ? EXIT_CODE_OK : EXIT_CODE_DIFFERS;
}

static const struct option options[] = {
    { "rate", "R", "Payments a second; default: 500." },
    { "seconds", "N", "End after so long; default: at Ctrl-C." },
    { "check", NULL, "With --seconds 45 or more: exit code 0 only when every attack was alerted." },
    { "seed", "N", "Another seed, other payments; default: 1." },
    { "workers", "N", "Threads that process; default: 1." },
    { "kafka", NULL, "On the Kafka of weir.yaml or WEIR_BROKERS instead, in topics of its own." },
    { "http", "ADDRESS", "Also serve probes and metrics there." },
    { "json", NULL, "Alerts and summary as JSON lines." },
    { "verbose", NULL, "With the log on stderr." },
    { "config", "FILE", "Settings; default: ./weir.yaml if it is there." },
    { .name = NULL },
};

const struct command command_demo = {
    .name = "demo",
    .operands = "",
    .summary = "Everything in one process, to watch.",
    .description =
        "Generates card payments and attacks, processes them with topologies/card-fraud-local.yaml and prints each\n"
        "alert as it appears, with the time since its payment was sent. Needs nothing but this program.",
    .example = "weir demo --rate 1000",
    .options = options,
    .run = run,
};
