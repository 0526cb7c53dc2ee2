#include "conformance_calls.h"

#include <inttypes.h>

#include "base/clock.h"

static const char client_names[CLIENTS][2] = { "a", "b", "c" };
static const char id_names[CLIENTS][2] = { "a", "b", "a" };
static const char *const kind_names[CALL_KINDS] = {
    "begin",         "produce",     "send_offsets", "commit",    "abort",
    "producer_open", "end_foreign", "tainted",      "committed", "committed_unstable",
    "bounds",        "read",        "poll",         "offset_at", "delete"
};

/* --- drawing ---------------------------------------------------------------------------------- */

/* What a client that nobody disturbs would be doing. */
enum phase { CLOSED, READY, OPEN, OFFERED, PHASES };

/* How likely each call is in a phase, in parts of their sum. */
static const uint8_t weights[PHASES][CALL_KINDS] = {
    /*            beg pro sen com abo ope for tai cmd uns bou rea pol off del */
    [CLOSED] = { 3, 2, 1, 2, 1, 12, 1, 1, 2, 1, 1, 1, 1, 1, 1 },
    [READY] = { 30, 2, 1, 1, 1, 2, 2, 1, 4, 2, 2, 3, 2, 1, 1 },
    [OPEN] = { 1, 16, 14, 5, 4, 1, 2, 1, 2, 2, 2, 2, 1, 1, 1 },
    [OFFERED] = { 1, 3, 3, 18, 5, 2, 3, 1, 3, 2, 2, 2, 1, 0, 1 },
};

static enum call_kind draw_kind(struct prng *prng, enum phase phase)
{
    uint64_t sum = 0;
    for (int kind = 0; kind < CALL_KINDS; kind++)
        sum += weights[phase][kind];
    uint64_t at = prng_below(prng, sum);
    int kind = 0;
    while (at >= weights[phase][kind])
        at -= weights[phase][kind++];
    return (enum call_kind)kind;
}

static enum phase phase_after(enum phase phase, enum call_kind kind)
{
    switch (kind) {
    case CALL_PRODUCER_OPEN:
        return READY;
    case CALL_BEGIN:
        return phase == READY ? OPEN : phase;
    case CALL_SEND_OFFSETS:
        return phase == OPEN ? OFFERED : phase;
    case CALL_COMMIT:
    case CALL_ABORT:
        return phase == CLOSED ? CLOSED : READY;
    default:
        return phase;
    }
}

int calls_draw(uint64_t seed, struct call calls[CALLS_MAX])
{
    struct prng prng = prng_of_seed(seed);
    enum phase phases[CLIENTS] = { READY, READY, CLOSED };
    const int count = (int)prng_between(&prng, 6, CALLS_MAX);
    int client = 0;
    for (int i = 0; i < count; i++) {
        if (prng_chance(&prng, 2, 5))
            client = (int)prng_below(&prng, CLIENTS);
        struct call *call = &calls[i];
        *call = (struct call){ .kind = draw_kind(&prng, phases[client]),
                               .number = i,
                               .client = client,
                               .partition = (int32_t)prng_below(&prng, PLACES),
                               .count = (int)prng_between(&prng, 1, 3),
                               .offset = prng_between(&prng, 0, 9),
                               .flag = prng_chance(&prng, 1, 2) };
        for (int p = 0; p < PLACES; p++)
            call->offsets[p] = prng_chance(&prng, 1, 2) ? 0 : prng_between(&prng, 0, 12);
        phases[client] = phase_after(phases[client], call->kind);
    }
    return count;
}

void call_describe(const struct call *call, struct text *out)
{
    text_add(out, "%2d %s.%s(", call->number, client_names[call->client], kind_names[call->kind]);
    switch (call->kind) {
    case CALL_PRODUCE:
        text_add(out, "partition %d, %d records", call->partition, call->count);
        break;
    case CALL_DELETE_RECORDS:
    case CALL_SEND_OFFSETS:
        text_add(out, "partition %d, offset %" PRId64, call->partition, call->offset);
        break;
    case CALL_END_FOREIGN:
        text_add(out, "%s", call->flag ? "a" : "b");
        break;
    case CALL_READ:
    case CALL_POLL:
        text_add(out, "from %" PRId64 ", %" PRId64, call->offsets[0], call->offsets[1]);
        break;
    default:
        break;
    }
    text_add(out, ")");
}

void call_moderate(struct call *call, struct side *simulated)
{
    const int64_t base = simulated->base[call->partition];
    const int64_t stable = sim_bounds(simulated->cluster, TOPIC_OUT, call->partition).last_stable;
    if (call->kind == CALL_DELETE_RECORDS && call->offset > stable - base)
        call->offset = stable - base;
}

bool call_is_question(const struct call *call)
{
    return call->kind >= CALL_COMMITTED;
}

bool call_writes_markers(const struct call *call)
{
    return call->kind == CALL_COMMIT || call->kind == CALL_ABORT ||
           call->kind == CALL_PRODUCER_OPEN || call->kind == CALL_END_FOREIGN;
}

/* --- making ----------------------------------------------------------------------------------- */

static void produce(const struct call *call, struct side *side, struct text *out)
{
    struct log_port *port = side->clients[call->client];
    enum status st = ST_OK;
    for (int i = 0; i < call->count && st == ST_OK; i++) {
        char value[32];
        snprintf(value, sizeof value, "%s%d.%d", client_names[call->client], call->number, i);
        const struct log_produce record = { .topic = TOPIC_OUT,
                                            .partition = call->partition,
                                            .key = BYTES_LITERAL("k"),
                                            .value = bytes_of_string(value) };
        st = port->type->produce(port, &record, &failure);
    }
    const enum status flushed = port->type->flush(port, &failure);
    st = st == ST_OK ? flushed : st;
    text_add(out, "%s ", status_name(st));
    if (st == ST_OK)
        text_add(out, "at %" PRId64,
                 port->type->produced_offset(port, TOPIC_OUT, call->partition) -
                     side->base[call->partition]);
}

static void send_offsets(const struct call *call, struct side *side, struct text *out)
{
    struct log_port *port = side->clients[call->client];
    char metadata[32];
    snprintf(metadata, sizeof metadata, "m%d", call->number);
    const struct log_position position = { TOPIC_IN, call->partition, call->offset,
                                           call->flag ? bytes_of_string(metadata) : BYTES_NONE };
    text_add(out, "%s", status_name(port->type->send_offsets(port, &position, 1, &failure)));
}

static void offset_at(const struct call *call, struct side *side, struct text *out)
{
    struct log_reader *reader = side->reader;
    const struct log_partition at = { TOPIC_OUT, call->partition };
    int64_t offset = -1;
    MUST(reader->type->offset_at(reader, at, INT64_C(1) << 42, &offset, &failure));
    text_add(out, "%" PRId64, offset - side->base[call->partition]);
}

/* Trimming is asynchronous: whether it was done is seen from the bounds. */
static void delete_records(const struct call *call, struct side *side, struct text *out)
{
    struct log_port *port = side->clients[call->client];
    const struct log_position position = { TOPIC_OUT, call->partition,
                                           side->base[call->partition] + call->offset, BYTES_NONE };
    port->type->delete_records(port, &position, 1);
    side_settle(side);
    side_bounds(side, out);
}

void call_make(const struct call *call, struct side *side, const struct world *names,
               int64_t patience_ms, struct text *out)
{
    struct log_port *port = side->clients[call->client];
    char id[128];
    enum status st = ST_OK;
    switch (call->kind) {
    case CALL_BEGIN:
        st = port->type->begin(port, &failure);
        break;
    case CALL_PRODUCE:
        produce(call, side, out);
        return;
    case CALL_SEND_OFFSETS:
        send_offsets(call, side, out);
        return;
    case CALL_COMMIT:
        st = port->type->commit(port, &failure);
        break;
    case CALL_ABORT:
        st = port->type->abort(port, &failure);
        break;
    case CALL_PRODUCER_OPEN:
        st = port->type->producer_open(port, &failure);
        break;
    case CALL_END_FOREIGN:
        for (int i = 0; i < LOG_PRODUCERS && st == ST_OK; i++) {
            snprintf(id, sizeof id, "%s-%s-%c", names->group, id_names[call->flag ? 0 : 1], 'a' + i);
            st = port->type->producer_end_foreign(port, id, &failure);
        }
        break;
    case CALL_TAINTED:
        text_add(out, "%d", port->type->tainted(port));
        return;
    case CALL_COMMITTED:
        side_committed(side, call->client, true, patience_ms, out);
        return;
    case CALL_COMMITTED_UNSTABLE:
        side_committed(side, call->client, false, 0, out);
        return;
    case CALL_BOUNDS:
        side_bounds(side, out);
        return;
    case CALL_READ:
        side_read(side, -1, call->offsets, patience_ms, out);
        return;
    case CALL_POLL:
        side_read(side, call->client, call->offsets, patience_ms, out);
        return;
    case CALL_OFFSET_AT:
        offset_at(call, side, out);
        return;
    case CALL_DELETE_RECORDS:
        delete_records(call, side, out);
        return;
    case CALL_KINDS:
        break;
    }
    text_add(out, "%s", status_name(st));
}
