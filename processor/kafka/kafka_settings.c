#include "processor/kafka/kafka_settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/kafka/kafka_fetch_limits.h"
#include "processor/kafka/kafka_mock.h"

enum {
    CLIENT_ID_SIZE_MAX = 63, /* a longer one can crash librdkafka (its issue 4689) */
    CONSUMERS = KAFKA_MEMBER | KAFKA_READER | KAFKA_UNSTABLE,
    EVERYBODY = CONSUMERS | KAFKA_PRODUCER | KAFKA_ADMIN
};

enum rule {
    DEFAULT,        /* may be overridden */
    DEFAULT_OR_NOT, /* the same, for a property that an older librdkafka does not have */
    FIXED           /* the protocol depends on it */
};

/* Measured against real brokers unless the comment says otherwise. */
static const struct {
    int roles;
    enum rule rule;
    const char *name, *value;
} rows[] = {
    { EVERYBODY, DEFAULT, "socket.nagle.disable", "true" },
    { EVERYBODY, DEFAULT, "reconnect.backoff.max.ms", "500" }, /* 10 s by default: a restart of the
                                                                  broker would cost 15 s */
    { EVERYBODY, DEFAULT, "log.connection.close", "false" },
    { EVERYBODY, FIXED, "allow.auto.create.topics", "false" },
    { EVERYBODY, DEFAULT_OR_NOT, "retry.backoff.max.ms", "100" },
    /* Closing a client would wait a second for its last figures (KIP-714). */
    { EVERYBODY, DEFAULT_OR_NOT, "enable.metrics.push", "false" },

    { CONSUMERS, FIXED, "enable.auto.commit", "false" },
    { CONSUMERS, FIXED, "enable.auto.offset.store", "false" },
    { CONSUMERS, FIXED, "auto.offset.reset", "error" },
    { CONSUMERS, FIXED, "enable.partition.eof", "true" },
    { CONSUMERS, FIXED, "partition.assignment.strategy", "range" },
    { CONSUMERS, DEFAULT, "fetch.error.backoff.ms", "50" },
    /* A parked fetch must come back before a new assignment is fetched or an end is told. */
    { CONSUMERS, DEFAULT, "fetch.wait.max.ms", "50" },
    /* A full queue is looked at again so soon; a second, by default. */
    { CONSUMERS, DEFAULT_OR_NOT, "fetch.queue.backoff.ms", "5" },
    /* Waiting for stable offsets asks again this often. */
    { CONSUMERS, DEFAULT, "retry.backoff.ms", "2" },
    { KAFKA_MEMBER | KAFKA_READER, FIXED, "isolation.level", "read_committed" },
    { KAFKA_UNSTABLE, FIXED, "isolation.level", "read_uncommitted" },
    { KAFKA_MEMBER, DEFAULT, "session.timeout.ms", "10000" },
    { KAFKA_MEMBER, DEFAULT, "heartbeat.interval.ms", "500" }, /* how fast a rebalance is noticed */
    { KAFKA_MEMBER, DEFAULT, "queued.min.messages", "100000" },

    { KAFKA_PRODUCER, DEFAULT, "retry.backoff.ms", "5" },
    { KAFKA_PRODUCER, DEFAULT, "linger.ms", "5" },
    { KAFKA_PRODUCER, DEFAULT, "batch.num.messages", "10000" },
    { KAFKA_PRODUCER, DEFAULT, "queue.buffering.max.messages", "1000000" },
    /* Longer than a broker's crash takes to be noticed (9 s): the transaction survives it. */
    { KAFKA_PRODUCER, DEFAULT, "transaction.timeout.ms", "45000" },
    { KAFKA_PRODUCER, FIXED, "enable.idempotence", "true" },
    { KAFKA_PRODUCER, FIXED, "acks", "all" },
};

/* Set from the options, or part of how weir works. */
static const char *const reserved[] = {
    "bootstrap.servers",
    "metadata.broker.list",
    "client.id",
    "group.id",
    "group.instance.id",
    "transactional.id",
    "partitioner",
    "group.protocol",
    "delivery.report.only.error",
    "dr_cb",
    "dr_msg_cb",
    "rebalance_cb",
    "offset.store.method",
    "enable.gapless.guarantee",
    "request.required.acks",
};

/* --- the copy ------------------------------------------------------------------------------- */

static bool is_fixed(const char *name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (strcmp(reserved[i], name) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].rule == FIXED && strcmp(rows[i].name, name) == 0)
            return true;
    }
    return false;
}

static enum status check_properties(const struct kafka_properties *properties, struct error *err)
{
    for (size_t i = 0; i < properties->count; i++) {
        if (is_fixed(properties->items[i].name))
            return FAIL(err, ST_INVALID, "the Kafka property '%s' cannot be set: weir sets it",
                        properties->items[i].name);
    }
    return ST_OK;
}

static enum status check_options(const struct kafka_port_options *options, struct error *err)
{
    if (options->bootstrap_servers == NULL && options->mock == NULL)
        return FAIL(err, ST_INVALID, "no Kafka brokers are named");
    if (options->client_id != NULL && strlen(options->client_id) > CLIENT_ID_SIZE_MAX)
        return FAIL(err, ST_INVALID, "the client id '%s' is longer than %d characters",
                    options->client_id, CLIENT_ID_SIZE_MAX);
    TRY(check_properties(&options->common, err));
    TRY(check_properties(&options->consumer, err));
    TRY(check_properties(&options->reader, err));
    return check_properties(&options->producer, err);
}

static const char *copy_string(const char *s)
{
    return s == NULL ? NULL : mem_copy_string(s);
}

static struct kafka_properties copy_properties(const struct kafka_properties *from)
{
    struct kafka_property *items = mem_alloc_array(from->count + 1, sizeof *items);
    for (size_t i = 0; i < from->count; i++) {
        items[i].name = mem_copy_string(from->items[i].name);
        items[i].value = mem_copy_string(from->items[i].value);
    }
    return (struct kafka_properties){ items, from->count };
}

static const char *const *copy_topics(const struct kafka_port_options *options)
{
    char **topics = mem_alloc_array(options->topic_count + 1, sizeof *topics);
    for (size_t i = 0; i < options->topic_count; i++)
        topics[i] = mem_copy_string(options->topics[i]);
    return (const char *const *)topics;
}

/* Every client's configuration is tried once, so that a wrong property is found at the start. */
static enum status try_configurations(struct kafka_settings *settings, struct error *err)
{
    for (int role = KAFKA_MEMBER; role <= KAFKA_ADMIN; role <<= 1) {
        rd_kafka_conf_t *conf = NULL;
        TRY(kafka_settings_configure(&conf, settings, (enum kafka_role)role, err));
        char text[32] = "";
        size_t size = sizeof text;
        if (role == KAFKA_PRODUCER &&
            rd_kafka_conf_get(conf, "transaction.timeout.ms", text, &size) == RD_KAFKA_CONF_OK)
            settings->transaction_timeout_ms = atoll(text);
        rd_kafka_conf_destroy(conf);
    }
    return ST_OK;
}

enum status kafka_settings_create(struct kafka_settings **out,
                                  const struct kafka_port_options *options, struct error *err)
{
    ENSURE(*out == NULL);
    TRY(check_options(options, err));
    AUTO(kafka_settings_destroy) struct kafka_settings *settings = mem_alloc(sizeof *settings);
    settings->options = (struct kafka_port_options){
        .bootstrap_servers = copy_string(options->mock == NULL ? options->bootstrap_servers
                                                               : kafka_mock_brokers(options->mock)),
        .common = copy_properties(&options->common),
        .consumer = copy_properties(&options->consumer),
        .reader = copy_properties(&options->reader),
        .producer = copy_properties(&options->producer),
        .group_id = copy_string(options->group_id == NULL ? "weir" : options->group_id),
        .group_instance_id = copy_string(options->group_instance_id),
        .transactional_id = copy_string(options->transactional_id),
        .client_id = copy_string(options->client_id == NULL ? "weir" : options->client_id),
        .topics = copy_topics(options),
        .topic_count = options->topic_count,
        .gives_place_up = options->gives_place_up,
        .consumer_bytes = options->consumer_bytes,
        .reader_bytes = options->reader_bytes,
        .mock = options->mock,
    };
    TRY(try_configurations(settings, err));
    *out = TAKE(settings);
    return ST_OK;
}

static void free_properties(const struct kafka_properties *properties)
{
    for (size_t i = 0; i < properties->count; i++) {
        mem_free((void *)(uintptr_t)properties->items[i].name);
        mem_free((void *)(uintptr_t)properties->items[i].value);
    }
    mem_free((void *)(uintptr_t)properties->items);
}

void kafka_settings_destroy(struct kafka_settings **settings_ref)
{
    struct kafka_settings *settings = TAKE(*settings_ref);
    if (settings == NULL)
        return;
    const struct kafka_port_options *options = &settings->options;
    const char *const strings[] = { options->bootstrap_servers, options->group_id,
                                    options->group_instance_id, options->transactional_id,
                                    options->client_id };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        mem_free((void *)(uintptr_t)strings[i]);
    free_properties(&options->common);
    free_properties(&options->consumer);
    free_properties(&options->reader);
    free_properties(&options->producer);
    for (size_t i = 0; i < options->topic_count; i++)
        mem_free((void *)(uintptr_t)options->topics[i]);
    mem_free((void *)(uintptr_t)options->topics);
    mem_free(settings);
}

/* --- a configuration ------------------------------------------------------------------------ */

enum status kafka_settings_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                               struct error *err)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return ST_OK;
    return FAIL(err, ST_INVALID, "the Kafka property '%s': %s", name, text);
}

static enum status set_rows(rd_kafka_conf_t *conf, enum kafka_role role, bool fixed,
                            struct error *err)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if ((rows[i].roles & (int)role) == 0 || (rows[i].rule == FIXED) != fixed)
            continue;
        if (rows[i].rule == DEFAULT_OR_NOT)
            rd_kafka_conf_set(conf, rows[i].name, rows[i].value, NULL, 0);
        else
            TRY(kafka_settings_set(conf, rows[i].name, rows[i].value, err));
    }
    return ST_OK;
}

static enum status set_properties(rd_kafka_conf_t *conf, const struct kafka_properties *properties,
                                  struct error *err)
{
    for (size_t i = 0; i < properties->count; i++)
        TRY(kafka_settings_set(conf, properties->items[i].name, properties->items[i].value, err));
    return ST_OK;
}

static enum status set_identity(rd_kafka_conf_t *conf, const struct kafka_port_options *options,
                                enum kafka_role role, struct error *err)
{
    TRY(kafka_settings_set(conf, "bootstrap.servers", options->bootstrap_servers, err));
    TRY(kafka_settings_set(conf, "client.id", options->client_id, err));
    if ((role & CONSUMERS) != 0)
        TRY(kafka_settings_set(conf, "group.id", options->group_id, err));
    if (role == KAFKA_MEMBER && options->group_instance_id != NULL)
        TRY(kafka_settings_set(conf, "group.instance.id", options->group_instance_id, err));
    return ST_OK;
}

static enum status configure(rd_kafka_conf_t *conf, const struct kafka_settings *settings,
                             enum kafka_role role, struct error *err)
{
    const struct kafka_port_options *options = &settings->options;
    TRY(set_rows(conf, role, false, err));
    const bool reads_ahead = role == KAFKA_READER && options->reader_bytes != 0;
    const uint64_t ahead = reads_ahead ? options->reader_bytes : options->consumer_bytes;
    if ((role & CONSUMERS) != 0 && ahead != 0)
        TRY(kafka_fetch_limits_set(conf, ahead, err));
    TRY(set_properties(conf, &options->common, err));
    if ((role & CONSUMERS) != 0)
        TRY(set_properties(conf, &options->consumer, err));
    if (role == KAFKA_READER)
        TRY(set_properties(conf, &options->reader, err));
    if (role == KAFKA_PRODUCER)
        TRY(set_properties(conf, &options->producer, err));
    TRY(set_rows(conf, role, true, err));
    if (options->mock != NULL) /* it is too old to be told not to, and the client warns */
        TRY(kafka_settings_set(conf, "allow.auto.create.topics", "true", err));
    return set_identity(conf, options, role, err);
}

enum status kafka_settings_configure(rd_kafka_conf_t **out, const struct kafka_settings *settings,
                                     enum kafka_role role, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const enum status st = configure(conf, settings, role, err);
    if (st != ST_OK) {
        rd_kafka_conf_destroy(conf);
        return st;
    }
    *out = conf;
    return ST_OK;
}

/* --- topics ---------------------------------------------------------------------------------- */

int kafka_settings_topic(const struct kafka_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->options.topic_count; i++) {
        if (strcmp(settings->options.topics[i], name) == 0)
            return (int)i;
    }
    return -1;
}

const char *kafka_settings_topic_name(const struct kafka_settings *settings, int topic)
{
    if (topic < 0 || (size_t)topic >= settings->options.topic_count)
        return "?";
    return settings->options.topics[topic];
}
