/*
 * A whole service under ThreadSanitizer: two workers on a store that they share, restores and
 * background writes on their threads, payments coming in, and clients that ask the HTTP port all
 * the time. Kafka is librdkafka's mock cluster in this process; what is looked for are races, not
 * results (but every round must have processed, and checkpointed, something).
 *
 * Round by round the service is stopped in the middle of everything and starts again: new; with its
 * local state; without it, so that partitions are restored from the changelog.
 */
#define _GNU_SOURCE /* nftw */

#include <arpa/inet.h>
#include <ftw.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/memory.h"
#include "processor/cli/config.h"
#include "processor/cli/load.h"
#include "processor/cli/service.h"
#include "processor/cli/traffic.h"
#include "processor/kafka/kafka_mock.h"

enum {
    PARTITIONS = 4,
    WORKERS = 2,
    CLIENTS = 3,
    USERS = 200,
    ROUND_RECORDS = 1500,
    ROUND_CHECKPOINTS = 4,
    ROUND_SECONDS_MAX = 120,
    PAUSE_US = 500,
    LOOK_US = 20 * 1000,
    MEMORY = 256 << 20,
};

static struct {
    struct config config;
    struct plan *plan;
    struct topics topics;
    struct kafka_mock *mock;
    struct registry *registry;
    struct kafka_port_options kafka;
    struct traffic *traffic;
    struct generator *generator;
    struct service *service;
    char directory[64];
    int port;
    atomic_bool stop_service, stop_clients, stop_payments;
    atomic_int outputs;
    _Atomic uint64_t answers;
} world;

/* What cannot go wrong here ends the program. */
static void must(enum status st, const struct error *err)
{
    if (st == ST_OK)
        return;
    fprintf(stderr, "%s: %s\n", status_name(st), err->text);
    exit(1);
}

static void sleep_us(int64_t us)
{
    const struct clock clock = clock_real();
    clock_sleep_us(&clock, us);
}

/* --- making it ------------------------------------------------------------------------------- */

static int free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    ENSURE(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
           getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void set_text(char **member, const char *text)
{
    mem_free(*member);
    *member = mem_copy_string(text);
}

static void configure(void)
{
    struct error err;
    char http[32];
    must(config_load(&world.config, NULL, &err), &err);
    snprintf(world.directory, sizeof world.directory, "/tmp/weir-threads-XXXXXX");
    ENSURE(mkdtemp(world.directory) != NULL);
    world.port = free_port();
    snprintf(http, sizeof http, "127.0.0.1:%d", world.port);
    set_text(&world.config.http, http);
    set_text(&world.config.brokers, "");
    set_text(&world.config.ordinal, "0");
    set_text(&world.config.start, "earliest");
    AUTO(mem_auto_free) char *state = mem_format("%s/state", world.directory);
    set_text(&world.config.state, state);
    world.config.workers = WORKERS;
    world.config.memory_bytes = MEMORY;
    world.config.checkpoint_interval_us = 200 * 1000;
    world.config.commit_interval_us = 20 * 1000;
    world.config.session_timeout_us = 6 * 1000 * 1000;
}

static void load_plan(void)
{
    static const char name[] = "card-fraud-local.yaml";
    const struct topology_options options = { .find_embedded = load_embedded };
    struct diagnostics diagnostics;
    struct bytes text;
    struct error err;
    ENSURE(load_embedded(NULL, name, &text));
    diagnostics_init(&diagnostics, name);
    must(topology_load_text(&world.plan, name, text, &options, &diagnostics, &err), &err);
    diagnostics_fini(&diagnostics);
    topics_init(&world.topics, world.plan);
}

static void open_kafka(void)
{
    struct error err;
    must(kafka_mock_open(&world.mock, 1, &err), &err);
    for (int i = 0; i < world.topics.count; i++) {
        const int partitions = world.topics.items[i].role == TOPIC_REFERENCE ? 1 : PARTITIONS;
        must(kafka_mock_create_topic(world.mock, world.topics.items[i].name, partitions, &err),
             &err);
    }
    registry_open_memory(&world.registry);
    world.kafka =
        (struct kafka_port_options){ .group_id = world.plan->name, .mock = world.mock };
    const struct traffic_options traffic = {
        .plan = world.plan,
        .kafka = &world.kafka,
        .registry = world.registry,
        .placement = KAFKA_PLACE_MURMUR2,
    };
    must(traffic_open(&world.traffic, &traffic, &err), &err);
    const struct clock clock = clock_real();
    const struct generator_options generator = {
        .seed = 1,
        .user_count = USERS,
        .start_ms = clock_wall_ms(&clock) - 3600 * 1000,
        .per_second = 2,
        .late_share = 0.02,
        .duplicate_share = 0.02,
        .poison_share = 0.01,
        .encoding = traffic_encoding(world.traffic),
        .attacks = GENERATOR_ALL_ATTACKS,
        .attack_interval_ms = 60 * 1000,
    };
    must(generator_create(&world.generator, &generator, &err), &err);
    must(traffic_write_tables(world.traffic, world.generator, &err), &err);
}

/* --- what goes on at the same time ------------------------------------------------------------ */

static void on_output(void *context, const struct output *output)
{
    (void)context, (void)output;
    atomic_fetch_add(&world.outputs, 1);
}

static void *serve(void *unused)
{
    struct error err;
    (void)unused;
    must(service_run(world.service, &world.stop_service, &err), &err);
    return NULL;
}

static void *pay(void *unused)
{
    struct error err;
    (void)unused;
    while (!atomic_load(&world.stop_payments)) {
        struct generator_event event;
        generator_next(world.generator, &event);
        must(traffic_write(world.traffic, &event, &err), &err);
        sleep_us(PAUSE_US);
    }
    must(traffic_flush(world.traffic, &err), &err);
    return NULL;
}

/* One request; how many bytes came back. */
static size_t ask(const char *path)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)world.port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char buffer[4096];
    size_t size = 0;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    ENSURE(fd >= 0);
    const int length = snprintf(buffer, sizeof buffer,
                                "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        write(fd, buffer, (size_t)length) == length) {
        for (ssize_t n = 0; (n = read(fd, buffer, sizeof buffer)) > 0;)
            size += (size_t)n;
    }
    close(fd);
    return size;
}

static void *ask_on(void *unused)
{
    static const char *const paths[] = { "/metrics", "/status", "/readyz", "/healthz", "/" };
    (void)unused;
    for (size_t i = 0; !atomic_load(&world.stop_clients); i++) {
        if (ask(paths[i % (sizeof paths / sizeof paths[0])]) > 0)
            atomic_fetch_add(&world.answers, 1);
    }
    return NULL;
}

/* --- a round ---------------------------------------------------------------------------------- */

static bool enough(void)
{
    uint64_t records = 0, checkpoints = 0;
    for (size_t i = 0; i < service_worker_count(world.service); i++) {
        struct worker_stats stats;
        service_stats(world.service, i, &stats);
        records += stats.records;
        checkpoints += stats.checkpoints;
        worker_stats_fini(&stats);
    }
    return records >= ROUND_RECORDS && checkpoints >= ROUND_CHECKPOINTS;
}

static void run_round(const char *name)
{
    const struct clock clock = clock_real();
    const int64_t began_us = clock_us(&clock);
    const struct service_options options = {
        .plan = world.plan,
        .config = &world.config,
        .registry = world.registry,
        .mock = world.mock,
        .on_output = on_output,
    };
    struct error err;
    pthread_t server, clients[CLIENTS], payments;
    atomic_store(&world.stop_service, false);
    atomic_store(&world.stop_clients, false);
    atomic_store(&world.stop_payments, false);
    must(service_open(&world.service, &options, &err), &err);
    ENSURE(pthread_create(&payments, NULL, pay, NULL) == 0);
    for (int i = 0; i < CLIENTS; i++)
        ENSURE(pthread_create(&clients[i], NULL, ask_on, NULL) == 0);
    ENSURE(pthread_create(&server, NULL, serve, NULL) == 0);
    while (!enough()) {
        if (clock_us(&clock) - began_us > ROUND_SECONDS_MAX * INT64_C(1000000)) {
            fprintf(stderr, "%s: too little was processed\n", name);
            exit(1);
        }
        sleep_us(LOOK_US);
    }
    atomic_store(&world.stop_service, true); /* while payments and questions go on */
    pthread_join(server, NULL);
    service_close(&world.service);
    atomic_store(&world.stop_payments, true);
    atomic_store(&world.stop_clients, true);
    pthread_join(payments, NULL);
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    printf("%s: %d outputs, %" PRIu64 " answers\n", name, atomic_load(&world.outputs),
           atomic_load(&world.answers));
    fflush(stdout);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static void remove_tree(const char *path)
{
    enum { DEPTH = 16 };
    nftw(path, remove_one, DEPTH, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    configure();
    load_plan();
    open_kafka();
    run_round("new");
    run_round("with local state");
    remove_tree(world.config.state);
    run_round("without local state");
    generator_destroy(&world.generator);
    traffic_close(&world.traffic);
    kafka_mock_close(&world.mock);
    registry_close(&world.registry);
    topics_fini(&world.topics);
    plan_destroy(&world.plan);
    remove_tree(world.directory);
    config_fini(&world.config);
    if (atomic_load(&world.outputs) > 0 && atomic_load(&world.answers) > 0)
        return 0;
    fputs("nothing came out\n", stderr);
    return 1;
}
