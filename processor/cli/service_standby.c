#include "processor/cli/service_standby.h"

#include <sys/statvfs.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "processor/kafka/kafka_members.h"

enum {
    DISK_FREE_MIN_PERCENT = 10,
    PARTITIONS_STREAM = 0, /* all topics of a task have as many as the first stream */
};

struct service_standby {
    struct standby *standby;
    const struct config *config;
    struct kafka_property common[CONFIG_PROPERTIES_MAX];
    const char **topic_names;
    struct kafka_port_options kafka;
};

/* Of all partitions together: they are read ahead of rows that go to the disk anyway. */
static const struct kafka_property reader_properties[] = {
    { "queued.max.messages.kbytes", "4096" },
    { "fetch.message.max.bytes", "1048576" },
};

static enum status open_reader(void *context, struct log_reader **out, struct error *err)
{
    const struct service_standby *standby = context;
    return kafka_reader_open(out, &standby->kafka, err);
}

/* Old copies go before the disk is full: the partitions that are owned need it. */
static bool disk_is_short(void *context)
{
    const struct service_standby *standby = context;
    struct statvfs disk;
    if (statvfs(standby->config->state, &disk) != 0 || disk.f_blocks == 0)
        return false;
    return disk.f_bavail < disk.f_blocks / 100 * DISK_FREE_MIN_PERCENT;
}

static void set_kafka(struct service_standby *standby,
                      const struct service_standby_options *options)
{
    const struct config *config = options->config;
    for (size_t i = 0; i < config->property_count; i++)
        standby->common[i] =
            (struct kafka_property){ config->properties[i].name, config->properties[i].value };
    standby->topic_names =
        mem_alloc_array((size_t)options->topics->count, sizeof *standby->topic_names);
    for (int i = 0; i < options->topics->count; i++)
        standby->topic_names[i] = options->topics->items[i].name;
    standby->kafka = (struct kafka_port_options){
        .bootstrap_servers = config->brokers[0] == '\0' ? NULL : config->brokers,
        .common = { standby->common, config->property_count },
        .consumer = { reader_properties, sizeof reader_properties / sizeof reader_properties[0] },
        .group_id = options->plan->name,
        .topics = standby->topic_names,
        .topic_count = (size_t)options->topics->count,
        .mock = options->mock,
    };
}

static enum status start(struct service_standby *standby,
                         const struct service_standby_options *options, struct error *err)
{
    struct log_port *port = options->port;
    AUTO(mem_auto_free)
    char *process = mem_format("%s-%s", options->plan->name, options->identity);
    struct standby_options own = {
        .topics = options->topics,
        .store = options->store,
        .clock = clock_real(),
        .threaded = true,
        .group = options->plan->name,
        .process = process,
        .workers = (int)options->config->workers,
        .standbys = (int)options->config->standbys,
        .open_reader = open_reader,
        .disk_is_short = disk_is_short,
        .context = standby,
        .keep_us = options->config->keep_local_us,
    };
    TRY(port->type->cluster_id(port, &own.cluster_id, err));
    TRY(port->type->partition_count(port, PARTITIONS_STREAM, &own.partition_count, err));
    if (own.partition_count == 0)
        return ST_OK; /* the worker says so, better */
    if (own.standbys > 0)
        TRY(kafka_members_open(&own.members, &standby->kafka, err));
    standby_create(&standby->standby, &own);
    return ST_OK;
}

enum status service_standby_open(struct service_standby **out,
                                 const struct service_standby_options *options, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(service_standby_close) struct service_standby *standby = mem_alloc(sizeof *standby);
    standby->config = options->config;
    set_kafka(standby, options);
    TRY(start(standby, options, err));
    *out = TAKE(standby);
    return ST_OK;
}

void service_standby_close(struct service_standby **standby_ref)
{
    struct service_standby *standby = TAKE(*standby_ref);
    if (standby == NULL)
        return;
    standby_destroy(&standby->standby);
    mem_free((void *)standby->topic_names);
    mem_free(standby);
}

struct standby *service_standby_of(struct service_standby *standby)
{
    return standby == NULL ? NULL : standby->standby;
}
