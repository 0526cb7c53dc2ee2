#include "processor/cli/traffic.h"

#include "base/clock.h"
#include "base/embedded.h"
#include "base/ensure.h"
#include "base/memory.h"
#include "processor/offline/generator_payload.h"

enum {
    REGISTER_TIMEOUT_MS = 30 * 1000,
    FLUSH_STEP_MS = 1000,
    FLUSH_MAX_MS = 120 * 1000,
    QUEUE_PROPERTIES = 2
};

/* A topic that we write, or (topic < 0) one that the topology does not have. */
struct traffic_topic {
    int topic;
    enum generator_encoding encoding;
    int32_t schema_id;
};

struct traffic {
    struct kafka_writer *writer;
    struct traffic_topic payments, profiles, merchants;
    bool keyless;
    struct buffer value;
};

/* --- what the topology has ------------------------------------------------------------------------ */

static bool has_columns(const struct schema_document *schema, const char *const *names)
{
    struct schema_column column;
    for (; *names != NULL; names++) {
        if (schema_find_column(schema_root(schema), *names, &column, NULL) != ST_OK)
            return false;
    }
    return true;
}

enum status traffic_find_stream(const struct plan_stream **out, const struct plan *plan,
                                struct error *err)
{
    static const char *const names[] = { "tx_id", "user_id", "amount_cents", "event_time", NULL };
    for (size_t i = 0; i < plan->stream_count; i++) {
        if (has_columns(plan->streams[i].schema, names)) {
            *out = &plan->streams[i];
            return ST_OK;
        }
    }
    return FAIL(err, ST_INVALID,
                "no stream of %s takes card payments: its schema must have tx_id, user_id, "
                "amount_cents and event_time, as schemas/transaction.avsc has",
                plan->file);
}

static const struct plan_table *find_table(const struct plan *plan, const char *const *names)
{
    for (size_t i = 0; i < plan->table_count; i++) {
        if (has_columns(plan->tables[i].schema, names))
            return &plan->tables[i];
    }
    return NULL;
}

/* --- opening -------------------------------------------------------------------------------------- */

/* The topics in the order in which they are numbered. */
struct names {
    const char *items[3];
    size_t count;
};

/* `file` is the schema that we write with: the topology's own may have more or fewer fields. */
static enum status add_topic(struct traffic_topic *out, struct names *names, const char *topic,
                             enum payload_format format, const char *file,
                             struct registry *registry, struct error *err)
{
    out->topic = (int)names->count;
    names->items[names->count++] = topic;
    out->encoding = format == FORMAT_AVRO ? ENCODING_AVRO : ENCODING_JSON;
    if (format != FORMAT_AVRO)
        return ST_OK;
    const struct embedded_file *schema = embedded_find(file);
    ENSURE(schema != NULL && registry != NULL);
    AUTO(mem_auto_free) char *subject = mem_format("%s-value", topic);
    if (registry_register(registry, subject, bytes_of(schema->data, schema->size),
                          REGISTER_TIMEOUT_MS, &out->schema_id, err) != ST_OK)
        return error_prefix(err, "registering %s as %s", file, subject);
    return ST_OK;
}

static enum status add_table(struct traffic_topic *out, struct names *names,
                             const struct plan_table *table, const char *file,
                             struct registry *registry, struct error *err)
{
    out->topic = -1;
    if (table == NULL)
        return ST_OK;
    return add_topic(out, names, table->topic, table->format, file, registry, err);
}

static enum status find_topics(struct traffic *traffic, struct names *names,
                               const struct traffic_options *options, struct error *err)
{
    static const char *const of_profiles[] = { "user_id", "country", "updated_at", NULL };
    static const char *const of_merchants[] = { "merchant_id", "reason", NULL };
    const struct plan_stream *stream = NULL;
    TRY(traffic_find_stream(&stream, options->plan, err));
    TRY(add_topic(&traffic->payments, names, stream->topic, stream->format,
                  "schemas/transaction.avsc", options->registry, err));
    TRY(add_table(&traffic->profiles, names, find_table(options->plan, of_profiles),
                  "schemas/user-profile.avsc", options->registry, err));
    return add_table(&traffic->merchants, names, find_table(options->plan, of_merchants),
                     "schemas/blocked-merchant.avsc", options->registry, err);
}

static enum status open_writer(struct traffic *traffic, const struct names *names,
                               const struct traffic_options *options, struct error *err)
{
    struct kafka_port_options kafka = *options->kafka;
    static const struct kafka_property queue[QUEUE_PROPERTIES] = {
        { "queue.buffering.max.messages", "100000" },
        { "queue.buffering.max.kbytes", "65536" },
    };
    if (kafka.producer.count == 0)
        kafka.producer = (struct kafka_properties){ queue, QUEUE_PROPERTIES };
    kafka.topics = names->items;
    kafka.topic_count = names->count;
    return kafka_writer_open(&traffic->writer, &kafka, options->placement, err);
}

enum status traffic_open(struct traffic **out, const struct traffic_options *options,
                         struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(traffic_close) struct traffic *traffic = mem_alloc(sizeof *traffic);
    struct names names = { .count = 0 };
    buffer_init(&traffic->value);
    traffic->keyless = options->keyless;
    TRY(find_topics(traffic, &names, options, err));
    TRY(open_writer(traffic, &names, options, err));
    *out = TAKE(traffic);
    return ST_OK;
}

void traffic_close(struct traffic **traffic_ref)
{
    struct traffic *traffic = TAKE(*traffic_ref);
    if (traffic == NULL)
        return;
    kafka_writer_close(&traffic->writer);
    buffer_fini(&traffic->value);
    mem_free(traffic);
}

enum generator_encoding traffic_encoding(const struct traffic *traffic)
{
    return traffic->payments.encoding;
}

uint64_t traffic_delivered(const struct traffic *traffic)
{
    return kafka_writer_delivered(traffic->writer);
}

/* --- writing -------------------------------------------------------------------------------------- */

static enum status write_profiles(struct traffic *traffic, struct generator *generator,
                                  struct error *err)
{
    const struct traffic_topic *topic = &traffic->profiles;
    for (uint32_t i = 0; topic->topic >= 0 && i < generator_profile_count(generator); i++) {
        struct generator_profile profile;
        generator_profile(generator, i, &profile);
        buffer_clear(&traffic->value);
        generator_write_profile(&traffic->value, &profile, topic->encoding, topic->schema_id);
        const struct kafka_writer_record record = {
            .topic = topic->topic,
            .partition = -1,
            .key = profile.user_id,
            .value = buffer_view(&traffic->value),
            .timestamp_ms = profile.updated_at_ms,
        };
        TRY(kafka_writer_write(traffic->writer, &record, err));
    }
    return ST_OK;
}

static enum status write_merchants(struct traffic *traffic, struct generator *generator,
                                   struct error *err)
{
    const struct clock clock = clock_real();
    const struct traffic_topic *topic = &traffic->merchants;
    for (uint32_t i = 0; topic->topic >= 0 && i < generator_blocked_merchant_count(generator); i++) {
        struct generator_blocked_merchant merchant;
        generator_blocked_merchant(generator, i, &merchant);
        buffer_clear(&traffic->value);
        generator_write_blocked_merchant(&traffic->value, &merchant, topic->encoding,
                                         topic->schema_id);
        const struct kafka_writer_record record = {
            .topic = topic->topic,
            .partition = -1,
            .key = merchant.merchant_id,
            .value = buffer_view(&traffic->value),
            .timestamp_ms = clock_wall_ms(&clock),
        };
        TRY(kafka_writer_write(traffic->writer, &record, err));
    }
    return ST_OK;
}

enum status traffic_write_tables(struct traffic *traffic, struct generator *generator,
                                 struct error *err)
{
    TRY(write_profiles(traffic, generator, err));
    TRY(write_merchants(traffic, generator, err));
    return traffic_flush(traffic, err);
}

enum status traffic_write(struct traffic *traffic, const struct generator_event *event,
                          struct error *err)
{
    buffer_clear(&traffic->value);
    const bool has_value = generator_write_value(&traffic->value, event, traffic->payments.encoding,
                                                 traffic->payments.schema_id);
    const struct kafka_writer_record record = {
        .topic = traffic->payments.topic,
        .partition = -1,
        .misplaced = event->misplaced,
        .key = traffic->keyless ? BYTES_NONE : event->key,
        .value = has_value ? buffer_view(&traffic->value) : BYTES_NONE,
        .timestamp_ms = event->arrival_ms,
    };
    return kafka_writer_write(traffic->writer, &record, err);
}

enum status traffic_flush(struct traffic *traffic, struct error *err)
{
    for (int64_t waited_ms = 0;; waited_ms += FLUSH_STEP_MS) {
        const enum status st = kafka_writer_flush(traffic->writer, FLUSH_STEP_MS, err);
        if (st != ST_TIMED_OUT || waited_ms >= FLUSH_MAX_MS)
            return st;
    }
}
