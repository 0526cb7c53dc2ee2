#include "conformance_side.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { SESSION_MS = 6000 };

static const char *const instances[CLIENTS] = { "a", "b", "c" };
static const char *const ids[CLIENTS] = { "a", "b", "a" };

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int size =
        vsnprintf(text->data + text->size, sizeof text->data - text->size, format, arguments);
    va_end(arguments);
    CHECK(size >= 0 && text->size + (size_t)size < sizeof text->data, "more than %d characters",
          TEXT_SIZE);
    text->size += (size_t)size;
}

bool side_is_real(const struct side *side)
{
    return side->world != NULL;
}

int64_t side_now_ms(const struct side *side)
{
    const struct clock clock = side_is_real(side) ? clock_real() : sim_clock(side->cluster);
    return clock_us(&clock) / 1000;
}

/* --- opening ---------------------------------------------------------------------------------- */

struct log_port *side_port(const struct side *side, const struct world *names, const char *instance,
                           const char *id, int session_ms)
{
    char session[16];
    snprintf(session, sizeof session, "%d", session_ms);
    const struct kafka_property quick[] = { { "session.timeout.ms", session },
                                            { "heartbeat.interval.ms", "100" },
                                            { "fetch.wait.max.ms", "10" } };
    struct log_port *port = NULL;
    char full_id[128];
    if (side_is_real(side)) {
        const struct port_setup setup = { .instance = instance,
                                          .transactional_id = id,
                                          .consumer = { quick, 3 } };
        return world_port(side->world, &setup);
    }
    snprintf(full_id, sizeof full_id, "%s-%s", names->group, id);
    const struct sim_client client = { .instance_id = instance,
                                       .transactional_id = full_id,
                                       .topics = names->topics,
                                       .topic_count = TOPIC_COUNT };
    sim_port_open(&port, side->cluster, &client);
    return port;
}

static void join_all(struct side *side)
{
    const int topic = TOPIC_IN;
    size_t held[CLIENTS] = { 0 }, sum = 0;
    const int64_t until_ms = side_now_ms(side) + 60000;
    for (int i = 0; i < CLIENTS; i++)
        MUST(side->clients[i]->type->subscribe(side->clients[i], &topic, 1, &failure));
    while (sum != PARTITIONS || held[0] == 0 || held[1] == 0 || held[2] == 0) {
        sum = 0;
        for (int i = 0; i < CLIENTS; i++) {
            struct log_port *port = side->clients[i];
            struct log_batch batch;
            MUST(port->type->poll(port, 10 * 1000, &batch, &failure));
            port->type->release(port, batch.records, batch.count);
            if (batch.event != LOG_EVENT_NONE) {
                held[i] = batch.event == LOG_EVENT_ASSIGNED ? batch.partition_count : 0;
                MUST(port->type->assign(port, NULL, 0, &failure));
            }
            sum += held[i];
        }
        CHECK(side_now_ms(side) < until_ms, "the group did not settle");
    }
}

static void create_cluster(struct side *side, const struct world *names, int session_ms)
{
    const struct sim_topic topics[] = { { names->topics[TOPIC_IN], PARTITIONS, false },
                                        { names->topics[TOPIC_OUT], PARTITIONS, false },
                                        { names->topics[TOPIC_TAIL], 1, false } };
    const struct sim_options options = { .seed = 1,
                                         .topics = topics,
                                         .topic_count = 3,
                                         .group = names->group,
                                         .session_timeout_us = session_ms * INT64_C(1000),
                                         .transaction_timeout_us = INT64_C(1) << 50 };
    sim_cluster_create(&side->cluster, &options);
}

void side_open_bare(struct side *side, struct world *real, const struct world *names,
                    int session_ms)
{
    *side = (struct side){ .world = real };
    if (real == NULL)
        create_cluster(side, names, session_ms);
}

void side_close_bare(struct side *side)
{
    sim_cluster_destroy(&side->cluster);
}

void side_open(struct side *side, struct world *real, const struct world *names)
{
    side_open_bare(side, real, names, SESSION_MS);
    for (int i = 0; i < CLIENTS; i++)
        side->clients[i] = side_port(side, names, instances[i], ids[i], SESSION_MS);
    MUST(side->clients[0]->type->reader_open(side->clients[0], 4 << 20, &side->reader, &failure));
    join_all(side);
}

void side_close(struct side *side)
{
    side->reader->type->close(side->reader);
    for (int i = 0; i < CLIENTS; i++)
        side->clients[i]->type->close(side->clients[i]);
    side_close_bare(side);
}

void side_settle(struct side *side)
{
    if (!side_is_real(side))
        sim_advance(side->cluster, 10 * 1000);
}

/* --- where a sequence begins ------------------------------------------------------------------ */

static void bounds_of(struct side *side, int32_t partition, int64_t *low, int64_t *stable,
                      int64_t *high)
{
    struct log_reader *reader = side->reader;
    const struct log_partition at = { TOPIC_OUT, partition };
    MUST(reader->type->bounds(reader, at, false, low, stable, &failure));
    MUST(reader->type->bounds(reader, at, true, low, high, &failure));
}

static enum status commit_origin(struct log_port *port)
{
    const struct log_position origin[PLACES] = { { TOPIC_IN, 0, 0, BYTES_LITERAL("origin") },
                                                 { TOPIC_IN, 1, 0, BYTES_LITERAL("origin") } };
    TRY(port->type->begin(port, &failure));
    TRY(port->type->send_offsets(port, origin, PLACES, &failure));
    return port->type->commit(port, &failure);
}

/* Nothing is open, and it can commit. A new producer costs more than all else in a sequence. */
static void restore_client(struct side *side, int client)
{
    struct log_port *port = side->clients[client];
    MUST(port->type->assign(port, NULL, 0, &failure));
    const enum status ended = port->type->abort(port, &failure);
    if (client > 1 || (ended != ST_FENCED && commit_origin(port) == ST_OK))
        return;
    MUST(port->type->producer_open(port, &failure));
    MUST(commit_origin(port));
}

void side_begin(struct side *side, bool afresh)
{
    for (int client = CLIENTS - 1; client >= 0 && afresh; client--)
        MUST(side->clients[client]->type->producer_open(side->clients[client], &failure));
    for (int client = CLIENTS - 1; client >= 0; client--)
        restore_client(side, client);
    side_settle(side);
    for (int32_t p = 0; p < PLACES; p++) {
        int64_t low, stable = 0, high = -1;
        const int64_t until_ms = side_now_ms(side) + 30000;
        while (stable != high) {
            bounds_of(side, p, &low, &stable, &high);
            CHECK(side_now_ms(side) < until_ms, "a marker does not come");
        }
        side->base[p] = high;
    }
}

/* --- what is there ---------------------------------------------------------------------------- */

void side_bounds(struct side *side, struct text *out)
{
    for (int32_t p = 0; p < PLACES; p++) {
        int64_t low, stable, high;
        bounds_of(side, p, &low, &stable, &high);
        low = low < side->base[p] ? 0 : low - side->base[p];
        text_add(out, "%" PRId64 "..%" PRId64 "..%" PRId64 " ", low, stable - side->base[p],
                 high - side->base[p]);
    }
}

void side_committed(struct side *side, int client, bool stable, int64_t timeout_ms,
                    struct text *out)
{
    struct log_port *port = side->clients[client];
    struct log_position positions[PLACES] = { { TOPIC_IN, 0, -7, BYTES_NONE },
                                              { TOPIC_IN, 1, -7, BYTES_NONE } };
    const enum status st =
        stable ? port->type->committed(port, positions, PLACES, timeout_ms * 1000, &failure)
               : port->type->committed_unstable(port, positions, PLACES, 5 * 1000 * 1000, &failure);
    text_add(out, "%s ", status_name(st));
    for (int p = 0; p < PLACES && st == ST_OK; p++)
        text_add(out, "%" PRId64 "'%.*s' ", positions[p].offset, (int)positions[p].metadata.size,
                 (const char *)positions[p].metadata.data);
}

struct reading {
    struct side *side;
    int client; /* -1: the reader */
    bool ended[PLACES];
    struct text found[PLACES];
};

static void take(struct reading *reading, const struct log_record *record)
{
    if (record->topic != TOPIC_OUT || record->partition >= PLACES) {
        text_add(&reading->found[0], "?%d/%d ", record->topic, record->partition);
        return;
    }
    struct text *found = &reading->found[record->partition];
    const int64_t offset = record->offset - reading->side->base[record->partition];
    if (record->kind == LOG_RECORD_DATA)
        text_add(found, "%" PRId64 ":%.*s=%.*s ", offset, (int)record->key.size,
                 (const char *)record->key.data, (int)record->value.size,
                 (const char *)record->value.data);
    else
        text_add(found, "%s%" PRId64 " ", record->kind == LOG_RECORD_EOF ? "end" : "outside",
                 offset);
    if (record->kind != LOG_RECORD_DATA)
        reading->ended[record->partition] = true;
}

static void poll_once(struct reading *reading)
{
    struct log_batch batch;
    struct log_port *port = reading->client < 0 ? NULL : reading->side->clients[reading->client];
    struct log_reader *reader = reading->side->reader;
    const enum status st = port != NULL ? port->type->poll(port, 5 * 1000, &batch, &failure)
                                        : reader->type->poll(reader, 5 * 1000, &batch, &failure);
    if (st != ST_OK || batch.event != LOG_EVENT_NONE)
        text_add(&reading->found[0], "%s,event%d ", status_name(st), (int)batch.event);
    for (size_t i = 0; st == ST_OK && i < batch.count; i++)
        take(reading, &batch.records[i]);
    if (st == ST_OK)
        reader->type->release(reader, batch.records, batch.count);
}

static enum status assign(struct reading *reading, const struct log_position *positions,
                          size_t count)
{
    struct log_reader *reader = reading->side->reader;
    if (reading->client < 0)
        return reader->type->assign(reader, positions, count, &failure);
    struct log_port *port = reading->side->clients[reading->client];
    return port->type->assign(port, positions, count, &failure);
}

void side_read(struct side *side, int client, const int64_t offsets[PLACES], int64_t patience_ms,
               struct text *out)
{
    static struct reading reading;
    struct log_position positions[PLACES];
    reading = (struct reading){ .side = side, .client = client };
    for (int32_t p = 0; p < PLACES; p++)
        positions[p] =
            (struct log_position){ TOPIC_OUT, p, side->base[p] + offsets[p], BYTES_NONE };
    MUST(assign(&reading, positions, PLACES));
    const int64_t until_ms = side_now_ms(side) + patience_ms;
    while (!(reading.ended[0] && reading.ended[1]) && side_now_ms(side) < until_ms)
        poll_once(&reading);
    MUST(assign(&reading, NULL, 0));
    for (int p = 0; p < PLACES; p++)
        text_add(out, "[%s%s] ", reading.found[p].data, reading.ended[p] ? "" : "silent");
}
