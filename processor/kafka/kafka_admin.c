#include "processor/kafka/kafka_admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/memory.h"
#include "processor/kafka/kafka_admin_request.h"
#include "processor/kafka/kafka_client.h"
#include "processor/kafka/kafka_errors.h"
#include "processor/kafka/kafka_mock.h"

enum { WHAT_SIZE = 320, LOOK_AGAIN_US = 20 * 1000, BROKERS_DEFAULT = -1 };

enum status kafka_admin_open(struct kafka_admin **out, const struct kafka_port_options *options,
                             struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(kafka_admin_close) struct kafka_admin *admin = mem_alloc(sizeof *admin);
    TRY(kafka_settings_create(&admin->settings, options, err));
    rd_kafka_conf_t *conf = NULL;
    TRY(kafka_settings_configure(&conf, admin->settings, KAFKA_ADMIN, err));
    TRY(kafka_client_create(&admin->client, conf, RD_KAFKA_PRODUCER, NULL, err));
    admin->answers = rd_kafka_queue_new(admin->client);
    *out = TAKE(admin);
    return ST_OK;
}

void kafka_admin_close(struct kafka_admin **admin_ref)
{
    struct kafka_admin *admin = TAKE(*admin_ref);
    if (admin == NULL)
        return;
    if (admin->answers != NULL)
        rd_kafka_queue_destroy(admin->answers);
    if (admin->client != NULL)
        rd_kafka_destroy(admin->client);
    kafka_settings_destroy(&admin->settings);
    mem_free(admin);
}

/* --- what exists ---------------------------------------------------------------------------------- */

static enum status ask_for_topic(struct kafka_admin *admin, const char *name,
                                 const struct rd_kafka_metadata **out, struct error *err)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(admin->client, name, NULL);
    if (handle == NULL)
        return kafka_errors_fail(err, rd_kafka_last_error(), "topic '%s'", name);
    const rd_kafka_resp_err_t code =
        rd_kafka_metadata(admin->client, 0, handle, out, KAFKA_ADMIN_TIMEOUT_MS);
    rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_errors_fail(err, code, "asking for topic '%s'", name);
    return ST_OK;
}

enum status kafka_admin_count_partitions(struct kafka_admin *admin, const char *name,
                                         int32_t *partition_count, int *replication,
                                         struct error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    TRY(ask_for_topic(admin, name, &metadata, err));
    const struct rd_kafka_metadata_topic *topic = &metadata->topics[0];
    const rd_kafka_resp_err_t code =
        metadata->topic_cnt == 0 ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : topic->err;
    const bool exists = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    *partition_count = exists ? topic->partition_cnt : 0;
    if (replication != NULL)
        *replication = exists && topic->partition_cnt > 0 ? topic->partitions[0].replica_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (exists || kafka_errors_status(code) == ST_NOT_FOUND)
        return ST_OK;
    return kafka_errors_fail(err, code, "topic '%s'", name);
}

/* The controller answers before every broker has heard of it. */
static enum status wait_for_count(struct kafka_admin *admin, const char *name, int32_t wanted,
                                  struct error *err)
{
    const struct clock clock = clock_real();
    const int64_t deadline_us = clock_us(&clock) + (int64_t)KAFKA_ADMIN_TIMEOUT_MS * 1000;
    for (;;) {
        int32_t count = -1;
        const enum status st = kafka_admin_count_partitions(admin, name, &count, NULL, err);
        if (st == ST_OK && count == wanted)
            return ST_OK;
        if (st != ST_OK && status_class_of(st) != CLASS_RETRY)
            return st;
        if (clock_us(&clock) >= deadline_us)
            return FAIL(err, ST_BROKER_BUSY,
                        "topic '%s' has %" PRId32 " partitions, not yet %" PRId32, name, count,
                        wanted);
        clock_sleep_us(&clock, LOOK_AGAIN_US);
    }
}

/* --- creating and deleting ------------------------------------------------------------------------- */

static enum status describe_new(rd_kafka_NewTopic_t **out, const struct kafka_new_topic *topic,
                                struct error *err)
{
    char text[256];
    rd_kafka_NewTopic_t *request = rd_kafka_NewTopic_new(
        topic->name, topic->partition_count,
        topic->replication == 0 ? BROKERS_DEFAULT : topic->replication, text, sizeof text);
    if (request == NULL)
        return FAIL(err, ST_INVALID, "topic '%s': %s", topic->name, text);
    for (size_t i = 0; i < topic->configs.count; i++) {
        const struct kafka_property *config = &topic->configs.items[i];
        const rd_kafka_resp_err_t code =
            rd_kafka_NewTopic_set_config(request, config->name, config->value);
        ENSURE(code == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    *out = request;
    return ST_OK;
}

static enum status topic_result(const rd_kafka_topic_result_t **results, size_t count,
                                const char *what, struct error *err)
{
    if (count != 1)
        return FAIL(err, ST_KAFKA, "%s: %zu answers", what, count);
    const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[0]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return ST_OK;
    const enum status st =
        code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ? ST_REFUSED : kafka_errors_status(code);
    const char *text = rd_kafka_topic_result_error_string(results[0]);
    return FAIL(err, st, "%s: %s (%s)", what, text == NULL ? rd_kafka_err2str(code) : text,
                rd_kafka_err2name(code));
}

static enum status send_create(struct kafka_admin *admin, const struct kafka_new_topic *topic,
                               struct error *err)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "creating topic '%s'", topic->name);
    rd_kafka_NewTopic_t *request = NULL;
    TRY(describe_new(&request, topic, err));
    rd_kafka_AdminOptions_t *options =
        kafka_admin_request_options(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(admin->client, &request, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(request);
    rd_kafka_event_t *event = NULL;
    TRY(kafka_admin_request_wait(admin, &event, what, err));
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    const enum status st = topic_result(results, count, what, err);
    rd_kafka_event_destroy(event);
    return st;
}

enum status kafka_admin_create_topic(struct kafka_admin *admin, const struct kafka_new_topic *topic,
                                     struct error *err)
{
    struct kafka_mock *mock = admin->settings->options.mock;
    if (mock != NULL)
        return kafka_mock_create_topic(mock, topic->name, topic->partition_count, err);
    TRY(send_create(admin, topic, err));
    return wait_for_count(admin, topic->name, topic->partition_count, err);
}

enum status kafka_admin_delete_topic(struct kafka_admin *admin, const char *name, struct error *err)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "deleting topic '%s'", name);
    rd_kafka_DeleteTopic_t *request = rd_kafka_DeleteTopic_new(name);
    rd_kafka_AdminOptions_t *options =
        kafka_admin_request_options(admin, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopics(admin->client, &request, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteTopic_destroy(request);
    rd_kafka_event_t *event = NULL;
    TRY(kafka_admin_request_wait(admin, &event, what, err));
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    const enum status st = topic_result(results, count, what, err);
    rd_kafka_event_destroy(event);
    if (st == ST_NOT_FOUND)
        return ST_OK;
    TRY(st);
    return wait_for_count(admin, name, 0, err);
}

/* --- configurations ----------------------------------------------------------------------------------- */

static void copy_configs(struct kafka_configs *out, const rd_kafka_ConfigResource_t *resource)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    *out = (struct kafka_configs){ mem_alloc_array(count + 1, sizeof *out->items), count };
    for (size_t i = 0; i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        out->items[i] = (struct kafka_config){
            .name = mem_copy_string(rd_kafka_ConfigEntry_name(entries[i])),
            .value = value == NULL ? NULL : mem_copy_string(value),
            /* `is_default` means that nobody set it anywhere; a broker's setting is one for us too. */
            .is_default = rd_kafka_ConfigEntry_source(entries[i]) !=
                          RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG,
        };
    }
}

static enum status take_configs(rd_kafka_event_t *event, const char *what,
                                struct kafka_configs *out, struct error *err)
{
    size_t count = 0;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count);
    if (count != 1)
        return FAIL(err, ST_KAFKA, "%s: %zu answers", what, count);
    const rd_kafka_resp_err_t code = rd_kafka_ConfigResource_error(resources[0]);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_errors_fail(err, code, "%s", what);
    copy_configs(out, resources[0]);
    return ST_OK;
}

enum status kafka_admin_describe_configs(struct kafka_admin *admin, const char *topic,
                                         struct kafka_configs *out, struct error *err)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "the settings of topic '%s'", topic);
    *out = (struct kafka_configs){ NULL, 0 };
    rd_kafka_ConfigResource_t *request =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_AdminOptions_t *options =
        kafka_admin_request_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(admin->client, &request, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(request);
    rd_kafka_event_t *event = NULL;
    TRY(kafka_admin_request_wait(admin, &event, what, err));
    const enum status st = take_configs(event, what, out, err);
    rd_kafka_event_destroy(event);
    return st;
}

const char *kafka_configs_find(const struct kafka_configs *configs, const char *name)
{
    for (size_t i = 0; i < configs->count; i++) {
        if (strcmp(configs->items[i].name, name) == 0)
            return configs->items[i].value;
    }
    return NULL;
}

void kafka_configs_fini(struct kafka_configs *configs)
{
    for (size_t i = 0; i < configs->count; i++) {
        mem_free((void *)(uintptr_t)configs->items[i].name);
        mem_free((void *)(uintptr_t)configs->items[i].value);
    }
    mem_free(configs->items);
    *configs = (struct kafka_configs){ NULL, 0 };
}

/* --- records --------------------------------------------------------------------------------------------- */

static enum status records_result(rd_kafka_event_t *event, const char *what, struct error *err)
{
    const rd_kafka_topic_partition_list_t *list =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka_errors_fail(err, list->elems[i].err, "%s", what);
    }
    return ST_OK;
}

enum status kafka_admin_delete_records(struct kafka_admin *admin, const char *topic,
                                       int32_t partition, int64_t offset, struct error *err)
{
    char what[WHAT_SIZE];
    snprintf(what, sizeof what, "deleting records of %s partition %" PRId32, topic, partition);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset =
        offset < 0 ? RD_KAFKA_OFFSET_END : offset;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AdminOptions_t *options =
        kafka_admin_request_options(admin, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    rd_kafka_DeleteRecords(admin->client, &request, 1, options, admin->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_event_t *event = NULL;
    TRY(kafka_admin_request_wait(admin, &event, what, err));
    const enum status st = records_result(event, what, err);
    rd_kafka_event_destroy(event);
    return st;
}
