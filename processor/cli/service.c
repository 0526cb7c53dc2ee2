#include "processor/cli/service.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/embedded.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "processor/cli/crash_ledger.h"
#include "processor/cli/memory_budget.h"
#include "processor/cli/service_standby.h"
#include "processor/engine/topics.h"
#include "processor/kafka/kafka_port.h"
#include "processor/ops/metrics.h"
#include "processor/ops/server.h"

enum {
    STANDBYS_SHOWN_MAX = 512,
    REGISTER_TIMEOUT_MS = 60 * 1000,
    IDENTITY_SIZE = 64,
    PROPERTY_TEXT = 32,
    /* A transaction is in the overlay, with what it is made from; its tail is made before it is handed over; and all is once more in
     * the client's queue. */
    TRANSACTION_SHARE = 4,
    PRODUCER_SHARE = 2,
};

struct service_worker {
    struct service *service;
    int number;
    struct log_port *port;
    struct worker *worker;
    pthread_t thread;
    bool started;
    enum status status;
    struct error error;
};

struct service {
    struct service_options options;
    struct memory_budget budget;
    struct topics topics;
    struct store *store;
    struct crash_ledger *crashes;
    struct service_standby *standby;
    struct ops_server *server;
    char identity[IDENTITY_SIZE];
    struct service_worker *workers;
    size_t worker_count;
    atomic_bool stop;
    atomic_int running;
    atomic_bool failed;
};

/* --- identity ------------------------------------------------------------------------------------------------------------- */

static enum status make_directory(const char *path, struct error *err)
{
    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return ST_OK;
    return FAIL(err, ST_IO_FAILED, "state directory %s: %s", path, strerror(errno));
}

/* Five digits, as static ids are sorted as text. False when it is no number. */
static bool padded_number(const char *text, char *out, size_t size)
{
    if (*text == '\0' || strspn(text, "0123456789") != strlen(text))
        return false;
    snprintf(out, size, "%05ld", strtol(text, NULL, 10));
    return true;
}

/* The number at the end of a StatefulSet pod's name. */
static bool pod_ordinal(char *out, size_t size)
{
    const char *host = getenv("HOSTNAME");
    if (getenv("KUBERNETES_SERVICE_HOST") == NULL || host == NULL)
        return false;
    const char *dash = strrchr(host, '-');
    if (dash == NULL)
        return false;
    return padded_number(dash + 1, out, size);
}

static enum status kept_identity(const char *directory, char *out, size_t size, struct error *err)
{
    AUTO(mem_auto_free) char *path = mem_format("%s/identity", directory);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        const bool ok = fgets(out, (int)size, file) != NULL;
        fclose(file);
        out[strcspn(out, "\r\n")] = '\0';
        if (ok && out[0] != '\0')
            return ST_OK;
    }
    snprintf(out, size, "%016" PRIx64, random_nonce());
    file = fopen(path, "w");
    if (file == NULL)
        return FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
    fprintf(file, "%s\n", out);
    if (fflush(file) != 0 || fsync(fileno(file)) != 0 || fclose(file) != 0)
        return FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
    return ST_OK;
}

static enum status find_identity(struct service *service, struct error *err)
{
    const struct config *config = service->options.config;
    if (padded_number(config->ordinal, service->identity, sizeof service->identity))
        return ST_OK;
    if (config->ordinal[0] != '\0') {
        snprintf(service->identity, sizeof service->identity, "%s", config->ordinal);
        return ST_OK;
    }
    if (pod_ordinal(service->identity, sizeof service->identity))
        return ST_OK;
    return kept_identity(config->state, service->identity, sizeof service->identity, err);
}

/* --- opening ---------------------------------------------------------------------------------------------------------------- */

static enum status open_store(struct service *service, struct error *err)
{
    const struct config *config = service->options.config;
    const struct memory_budget *budget = &service->budget;
    AUTO(mem_auto_free) char *directory = mem_format("%s/rocksdb", config->state);
    AUTO(buffer_fini) struct buffer parts;
    buffer_init(&parts);
    TRY(memory_budget_split(&service->budget, config->memory_bytes, config->workers, err));
    memory_budget_describe(budget, &parts);
    const struct store_rocks_options options = {
        .directory = directory, .block_cache_bytes = budget->blocks, .memtable_bytes = budget->memtables,
    };
    LOG_INFO("memory.budget", "all=%" PRId64 " %s", config->memory_bytes, buffer_text(&parts));
    return store_open_rocks(&service->store, &options, err);
}

static enum status register_alerts(struct service *service, int32_t *id, struct error *err)
{
    const struct plan *plan = service->options.plan;
    *id = 0;
    if (plan->alerts.format != FORMAT_AVRO)
        return ST_OK;
    const struct embedded_file *schema = embedded_find("schemas/fraud-alert.avsc");
    ENSURE(schema != NULL && service->options.registry != NULL);
    AUTO(mem_auto_free) char *subject = mem_format("%s-value", plan->alerts.topic);
    if (registry_register(service->options.registry, subject, bytes_of(schema->data, schema->size),
                          REGISTER_TIMEOUT_MS, id, err) != ST_OK)
        return error_prefix(err, "registering the schema of the alerts (%s)", subject);
    return ST_OK;
}

static enum status open_port(struct service *service, struct service_worker *worker, struct error *err)
{
    const struct config *config = service->options.config;
    struct kafka_property common[CONFIG_PROPERTIES_MAX];
    for (size_t i = 0; i < config->property_count; i++)
        common[i] = (struct kafka_property){ config->properties[i].name, config->properties[i].value };
    char session_ms[PROPERTY_TEXT], producer_kbytes[PROPERTY_TEXT];
    snprintf(session_ms, sizeof session_ms, "%" PRId64, config->session_timeout_us / 1000);
    const struct kafka_property consumer[] = { { "session.timeout.ms", session_ms } };
    snprintf(producer_kbytes, sizeof producer_kbytes, "%" PRIu64,
             service->budget.transactions / service->worker_count / PRODUCER_SHARE / 1024);
    const struct kafka_property producer[] = { { "queue.buffering.max.kbytes", producer_kbytes } };
    const char **names = mem_alloc_array((size_t)service->topics.count, sizeof *names);
    for (int i = 0; i < service->topics.count; i++)
        names[i] = service->topics.items[i].name;
    AUTO(mem_auto_free) char *id =
        mem_format("%s-%s-%d", service->options.plan->name, service->identity, worker->number);
    const struct kafka_port_options options = {
        .bootstrap_servers = config->brokers[0] == '\0' ? NULL : config->brokers,
        .common = { common, config->property_count },
        .consumer = { consumer, sizeof consumer / sizeof consumer[0] },
        .consumer_bytes = service->budget.fetched / service->worker_count,
        .producer = { producer, sizeof producer / sizeof producer[0] },
        .group_id = service->options.plan->name,
        .group_instance_id = id,
        .gives_place_up = config->standbys > 0, /* somebody is prepared to take over */
        .transactional_id = id,
        .topics = names,
        .topic_count = (size_t)service->topics.count,
        .mock = service->options.mock,
    };
    const enum status st = kafka_port_open(&worker->port, &options, err);
    mem_free((void *)names);
    return st;
}

/* Once, with the first worker's port. */
static enum status open_standby(struct service *service, struct log_port *port, struct error *err)
{
    const struct service_standby_options options = {
        .config = service->options.config, .plan = service->options.plan, .topics = &service->topics,
        .store = service->store, .identity = service->identity, .port = port, .mock = service->options.mock,
    };
    return service->standby == NULL ? service_standby_open(&service->standby, &options, err) : ST_OK;
}

static enum status open_worker(struct service *service, struct service_worker *worker, int32_t alert_schema_id,
                               struct error *err)
{
    const struct config *config = service->options.config;
    const struct memory_budget *budget = &service->budget;
    struct crash_watch crashes;
    crash_ledger_watch(service->crashes, &crashes);
    TRY(open_port(service, worker, err));
    TRY(open_standby(service, worker->port, err));
    struct worker_options options = {
        .plan = service->options.plan,
        .topics = &service->topics,
        .port = worker->port,
        .store = service->store,
        .registry = service->options.registry,
        .standby = service_standby_of(service->standby),
        .clock = clock_real(),
        .number = worker->number,
        .hands_over = config->standbys > 0,
        .threaded = true,
        .alert_schema_id = alert_schema_id,
        .commit_interval_ms = config->commit_interval_us / 1000,
        .alert_floor_us = config->alert_floor_us,
        .checkpoint_interval_ms = config->checkpoint_interval_us / 1000,
        .transaction_bytes_max = budget->transactions / service->worker_count / TRANSACTION_SHARE,
        .queued_bytes_max = budget->fetched / service->worker_count,
        .active_bytes_max = budget->uncheckpointed / service->worker_count,
        .entity_cache_bytes = budget->entities / service->worker_count,
        .row_cache_bytes = budget->rows / service->worker_count,
        .in_hand = crash_ledger_in_hand(service->crashes, (size_t)worker->number),
        .crashes = &crashes,
        .on_crash_passed = crash_ledger_passed,
        .on_crash_passed_context = service->crashes,
        .on_output = service->options.on_output,
        .on_output_context = service->options.on_output_context,
    };
    TRY(config_start(config, &options.start, &options.start_ms, err));
    TRY(config_partitioner(config, &options.partitioner, err));
    return worker_create(&worker->worker, &options, err);
}

/* --- what HTTP answers ----------------------------------------------------------------------------------------------------------- */

static struct worker_stats *copy_stats(struct service *service)
{
    struct worker_stats *stats = mem_alloc_array(service->worker_count, sizeof *stats);
    for (size_t i = 0; i < service->worker_count; i++)
        worker_stats_copy(service->workers[i].worker, &stats[i]);
    return stats;
}

static void free_stats(struct service *service, struct worker_stats *stats)
{
    for (size_t i = 0; i < service->worker_count; i++)
        worker_stats_fini(&stats[i]);
    mem_free(stats);
}

static bool is_healthy(void *self, struct buffer *why)
{
    struct service *service = self;
    const bool healthy = !atomic_load(&service->failed);
    buffer_put_string(why, healthy ? "ok\n" : "a worker has failed; see the log\n");
    return healthy;
}

/* One line for each partition that has a reason to wait. */
static void write_troubles(const struct worker_stats *stats, struct buffer *why)
{
    for (size_t i = 0; i < stats->lane_count; i++) {
        const struct worker_lane_stats *lane = &stats->lanes[i];
        if (lane->failure != ST_OK)
            buffer_printf(why, "partition %" PRId32 " %s: %s\n", lane->partition, lane->failed ? "has failed" : "waits",
                          lane->trouble);
    }
}

static bool worker_is_ready(const struct worker_stats *stats, struct buffer *why)
{
    write_troubles(stats, why);
    if (stats->trouble[0] != '\0')
        buffer_printf(why, "waiting: %s\n", stats->trouble);
    else if (stats->rebalances == 0)
        buffer_put_string(why, "waiting for the group to assign partitions\n");
    else if (stats->waiting_for_tables)
        buffer_put_string(why, "waiting for the everywhere tables to be copied\n");
    else if (stats->lanes_ready < stats->lane_count)
        buffer_printf(why, "restoring: %zu of %zu partitions are ready\n", stats->lanes_ready, stats->lane_count);
    else
        return true;
    return false;
}

static bool nothing_crashed(const struct service *service, struct buffer *why)
{
    struct error err;
    size_t count = 0;
    if (crash_notices_list(service->options.config->state, why, &count, &err) != ST_OK) {
        buffer_printf(why, "%s\n", err.text);
        return false;
    }
    if (count > 0)
        buffer_put_string(why, "look at the dead letters, then run `weir acknowledge` here\n");
    return count == 0;
}

static bool is_ready(void *self, struct buffer *why)
{
    struct service *service = self;
    struct worker_stats *stats = copy_stats(service);
    bool ready = !atomic_load(&service->failed);
    for (size_t i = 0; i < service->worker_count; i++)
        ready = worker_is_ready(&stats[i], why) && ready;
    free_stats(service, stats);
    ready = nothing_crashed(service, why) && ready;
    if (ready)
        buffer_put_string(why, "ok\n");
    return ready;
}

static void write_metrics(void *self, struct buffer *out)
{
    struct service *service = self;
    struct worker_stats *stats = copy_stats(service);
    struct registry_health health;
    if (service->options.registry != NULL)
        registry_health(service->options.registry, &health);
    struct standby_stats standbys[STANDBYS_SHOWN_MAX];
    metrics_write(out, service->options.plan, stats, service->worker_count,
                  service->options.registry == NULL ? NULL : &health);
    metrics_write_standbys(out, standbys, standby_stats(service_standby_of(service->standby), standbys, STANDBYS_SHOWN_MAX));
    free_stats(service, stats);
}

static void write_status(void *self, struct buffer *out)
{
    struct service *service = self;
    struct worker_stats *stats = copy_stats(service);
    struct standby_stats standbys[STANDBYS_SHOWN_MAX];
    metrics_write_status(out, service->options.plan, stats, service->worker_count, standbys,
                         standby_stats(service_standby_of(service->standby), standbys, STANDBYS_SHOWN_MAX));
    free_stats(service, stats);
}

static enum status start_server(struct service *service, struct error *err)
{
    const char *address = service->options.config->http;
    if (address[0] == '\0')
        return ST_OK;
    const struct ops_source source = { service, is_healthy, is_ready, write_metrics, write_status };
    return ops_server_start(&service->server, address, &source, err);
}

/* --- life -------------------------------------------------------------------------------------------------------------------------- */

static enum status open_all(struct service *service, struct error *err)
{
    int32_t alert_schema_id;
    TRY(make_directory(service->options.config->state, err));
    TRY(find_identity(service, err));
    TRY(open_store(service, err));
    TRY(crash_ledger_open(&service->crashes, service->options.config->state, &service->topics, service->worker_count, err));
    TRY(register_alerts(service, &alert_schema_id, err));
    for (size_t i = 0; i < service->worker_count; i++)
        TRY(open_worker(service, &service->workers[i], alert_schema_id, err));
    return start_server(service, err);
}

enum status service_open(struct service **out, const struct service_options *options, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(service_close) struct service *service = mem_alloc(sizeof *service);
    service->options = *options;
    topics_init(&service->topics, options->plan);
    service->worker_count = (size_t)options->config->workers;
    service->workers = mem_alloc_array(service->worker_count, sizeof *service->workers);
    for (size_t i = 0; i < service->worker_count; i++) {
        service->workers[i].service = service;
        service->workers[i].number = (int)i;
    }
    TRY(open_all(service, err));
    *out = TAKE(service);
    return ST_OK;
}

void service_close(struct service **service_ref)
{
    struct service *service = TAKE(*service_ref);
    if (service == NULL)
        return;
    ops_server_stop(&service->server);
    for (size_t i = 0; i < service->worker_count; i++) {
        worker_destroy(&service->workers[i].worker);
        if (service->workers[i].port != NULL)
            service->workers[i].port->type->close(service->workers[i].port);
    }
    service_standby_close(&service->standby);
    crash_ledger_close(&service->crashes);
    store_close(&service->store);
    topics_fini(&service->topics);
    mem_free(service->workers);
    mem_free(service);
}

static void *run_worker(void *argument)
{
    struct service_worker *worker = argument;
    struct service *service = worker->service;
    worker->status = worker_run(worker->worker, &service->stop, &worker->error);
    if (worker->status != ST_OK) {
        LOG_ERROR("worker.failed", "worker=%d status=%s error=%s", worker->number, status_name(worker->status),
                  LOG_Q(worker->error.text));
        atomic_store(&service->failed, true);
    }
    atomic_fetch_sub(&service->running, 1);
    return NULL;
}

/* Every partition of the process has failed for a reason that does not pass: then ending says it loudest. */
static enum status nothing_works(struct service *service, struct error *err)
{
    enum status first = ST_OK;
    for (size_t i = 0; i < service->worker_count; i++) {
        struct error why = { .status = ST_OK };
        const enum worker_condition condition = worker_condition(service->workers[i].worker, &why);
        if (condition == WORKER_WORKS || condition == WORKER_JOINING)
            return ST_OK;
        if (condition == WORKER_STUCK && first == ST_OK) {
            first = why.status;
            *err = why;
        }
    }
    return first;
}

enum status service_run(struct service *service, const atomic_bool *stop, struct error *err)
{
    enum { LOOK_US = 10 * 1000 };
    const struct clock clock = clock_real();
    atomic_store(&service->running, (int)service->worker_count);
    for (size_t i = 0; i < service->worker_count; i++) {
        ENSURE(pthread_create(&service->workers[i].thread, NULL, run_worker, &service->workers[i]) == 0);
        service->workers[i].started = true;
    }
    enum status first = ST_OK;
    while (!atomic_load(stop) && !atomic_load(&service->failed) && atomic_load(&service->running) > 0 && first == ST_OK) {
        clock_sleep_us(&clock, LOOK_US);
        first = nothing_works(service, err);
    }
    atomic_store(&service->stop, true);
    for (size_t i = 0; i < service->worker_count; i++) {
        pthread_join(service->workers[i].thread, NULL);
        if (first == ST_OK && service->workers[i].status != ST_OK) {
            first = service->workers[i].status;
            *err = service->workers[i].error;
        }
    }
    return first;
}

size_t service_worker_count(const struct service *service)
{
    return service->worker_count;
}

void service_stats(struct service *service, size_t worker, struct worker_stats *out)
{
    ENSURE(worker < service->worker_count);
    worker_stats_copy(service->workers[worker].worker, out);
}
