#include <criterion/criterion.h>

#include "processor/kafka/kafka_settings.h"

enum where { COMMON, CONSUMER, PRODUCER };

static enum status open_with(enum where where, const char *name, const char *value,
                             struct error *err)
{
    const struct kafka_property property = { name, value };
    struct kafka_port_options options = { .bootstrap_servers = "127.0.0.1:1" };
    struct kafka_properties *places[] = { &options.common, &options.consumer, &options.producer };
    *places[where] = (struct kafka_properties){ &property, 1 };
    struct kafka_settings *settings = NULL;
    const enum status st = kafka_settings_create(&settings, &options, err);
    kafka_settings_destroy(&settings);
    return st;
}

static const char *value_of(const struct kafka_settings *settings, enum kafka_role role,
                            const char *name)
{
    static char text[256];
    text[0] = '\0'; /* what was never set is unknown */
    struct error err;
    rd_kafka_conf_t *conf = NULL;
    size_t size = sizeof text;
    cr_assert_eq(kafka_settings_configure(&conf, settings, role, &err), ST_OK, "%s", err.text);
    rd_kafka_conf_get(conf, name, text, &size);
    rd_kafka_conf_destroy(conf);
    return text;
}

Test(kafka_settings, what_exactly_once_needs_cannot_be_changed)
{
    static const struct {
        enum where where;
        const char *name;
    } rows[] = {
        { COMMON, "bootstrap.servers" },
        { COMMON, "group.id" },
        { CONSUMER, "enable.auto.commit" },
        { CONSUMER, "isolation.level" },
        { CONSUMER, "auto.offset.reset" },
        { CONSUMER, "partition.assignment.strategy" },
        { PRODUCER, "acks" },
        { PRODUCER, "transactional.id" },
        { COMMON, "enable.idempotence" },
        { PRODUCER, "delivery.report.only.error" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err;
        cr_assert_eq(open_with(rows[i].where, rows[i].name, "1", &err), ST_INVALID, "%s",
                     rows[i].name);
        cr_assert_not_null(strstr(err.text, rows[i].name), "%s", err.text);
    }
}

Test(kafka_settings, a_wrong_property_is_named_before_anything_starts)
{
    struct error err;
    cr_assert_eq(open_with(CONSUMER, "no.such.property", "1", &err), ST_INVALID);
    cr_assert_not_null(strstr(err.text, "no.such.property"), "%s", err.text);
    cr_assert_eq(open_with(PRODUCER, "linger.ms", "soon", &err), ST_INVALID);
    cr_assert_not_null(strstr(err.text, "linger.ms"), "%s", err.text);
}

Test(kafka_settings, brokers_and_a_short_client_id_are_needed)
{
    struct error err;
    struct kafka_settings *settings = NULL;
    struct kafka_port_options options = { .bootstrap_servers = NULL };
    cr_assert_eq(kafka_settings_create(&settings, &options, &err), ST_INVALID);
    options.bootstrap_servers = "127.0.0.1:1";
    options.client_id = "0123456789012345678901234567890123456789012345678901234567890123";
    cr_assert_eq(strlen(options.client_id), 64);
    cr_assert_eq(kafka_settings_create(&settings, &options, &err), ST_INVALID);
    cr_assert_not_null(strstr(err.text, "63"), "%s", err.text);
    options.client_id++;
    cr_assert_eq(kafka_settings_create(&settings, &options, &err), ST_OK, "%s", err.text);
    kafka_settings_destroy(&settings);
}

Test(kafka_settings, properties_reach_the_clients_they_are_for)
{
    const struct kafka_property common = { "socket.timeout.ms", "12345" };
    const struct kafka_property consumer = { "fetch.wait.max.ms", "77" };
    const struct kafka_property producer = { "transaction.timeout.ms", "31000" };
    const struct kafka_port_options options = {
        .bootstrap_servers = "127.0.0.1:1",
        .common = { &common, 1 },
        .consumer = { &consumer, 1 },
        .producer = { &producer, 1 },
        .group_id = "g",
        .group_instance_id = "i",
    };
    struct error err;
    struct kafka_settings *settings = NULL;
    cr_assert_eq(kafka_settings_create(&settings, &options, &err), ST_OK, "%s", err.text);
    static const enum kafka_role roles[] = { KAFKA_MEMBER, KAFKA_READER, KAFKA_UNSTABLE,
                                             KAFKA_PRODUCER, KAFKA_ADMIN };
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        cr_assert_str_eq(value_of(settings, roles[i], "socket.timeout.ms"), "12345");
    cr_assert_str_eq(value_of(settings, KAFKA_MEMBER, "fetch.wait.max.ms"), "77");
    cr_assert_str_eq(value_of(settings, KAFKA_READER, "fetch.wait.max.ms"), "77");
    cr_assert_str_eq(value_of(settings, KAFKA_PRODUCER, "transaction.timeout.ms"), "31000");
    cr_assert_eq(settings->transaction_timeout_ms, 31000);
    /* Only the member has a place in the group, and only one client may read what is not committed. */
    cr_assert_str_eq(value_of(settings, KAFKA_MEMBER, "group.instance.id"), "i");
    cr_assert_str_eq(value_of(settings, KAFKA_READER, "group.instance.id"), "");
    cr_assert_str_eq(value_of(settings, KAFKA_MEMBER, "isolation.level"), "read_committed");
    cr_assert_str_eq(value_of(settings, KAFKA_READER, "isolation.level"), "read_committed");
    cr_assert_str_eq(value_of(settings, KAFKA_UNSTABLE, "isolation.level"), "read_uncommitted");
    kafka_settings_destroy(&settings);
}

Test(kafka_settings, topics_are_numbers)
{
    const char *const topics[] = { "a", "b" };
    const struct kafka_port_options options = { .bootstrap_servers = "127.0.0.1:1",
                                                .topics = topics,
                                                .topic_count = 2 };
    struct error err;
    struct kafka_settings *settings = NULL;
    cr_assert_eq(kafka_settings_create(&settings, &options, &err), ST_OK, "%s", err.text);
    cr_assert_eq(kafka_settings_topic(settings, "b"), 1);
    cr_assert_eq(kafka_settings_topic(settings, "c"), -1);
    cr_assert_str_eq(kafka_settings_topic_name(settings, 0), "a");
    cr_assert_str_eq(kafka_settings_topic_name(settings, 2), "?");
    kafka_settings_destroy(&settings);
}
