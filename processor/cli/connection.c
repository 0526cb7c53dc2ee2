#include "processor/cli/connection.h"

#include "base/memory.h"
#include "processor/cli/load.h"

enum status connection_open(struct connection *out, const struct arguments *arguments, struct error *err)
{
    *out = (struct connection){ .plan = NULL };
    TRY(config_load(&out->config, arguments_text(arguments, "config", NULL), err));
    TRY(load_topology(&out->plan, arguments, &out->config, err));
    if (out->config.brokers[0] == '\0')
        return FAIL(err, ST_INVALID, "where is Kafka? set brokers in weir.yaml, or WEIR_BROKERS");
    topics_init(&out->topics, out->plan);
    out->names = mem_alloc_array((size_t)out->topics.count, sizeof *out->names);
    for (int i = 0; i < out->topics.count; i++)
        out->names[i] = out->topics.items[i].name;
    for (size_t i = 0; i < out->config.property_count; i++)
        out->properties[i] = (struct kafka_property){ out->config.properties[i].name, out->config.properties[i].value };
    out->kafka = (struct kafka_port_options){
        .bootstrap_servers = out->config.brokers,
        .common = { out->properties, out->config.property_count },
        .group_id = out->plan->name,
        .topics = out->names,
        .topic_count = (size_t)out->topics.count,
    };
    return kafka_admin_open(&out->admin, &out->kafka, err);
}

enum status connection_check_stopped(const struct connection *connection, struct error *err)
{
    struct kafka_group group;
    TRY(kafka_admin_describe_group(connection->admin, connection->plan->name, &group, err));
    const size_t members = group.member_count;
    kafka_group_fini(&group);
    if (members > 0)
        return FAIL(err, ST_REFUSED, "%zu process%s of '%s' still run%s: stop them first (one that stopped keeps its place"
                    " until its session times out)", members, members == 1 ? "" : "es", connection->plan->name,
                    members == 1 ? "s" : "");
    return ST_OK;
}

void connection_close(struct connection *connection)
{
    kafka_admin_close(&connection->admin);
    topics_fini(&connection->topics);
    mem_free((void *)connection->names);
    plan_destroy(&connection->plan);
    config_fini(&connection->config);
}
