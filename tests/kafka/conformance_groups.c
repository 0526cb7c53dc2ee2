#include "conformance_groups.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

enum {
    SLOTS = 3,
    STEPS = 6,
    ALL = (1 << PARTITIONS) - 1,
    SESSION_MS = 6000,  /* a busy machine must not lose one */
    SETTLED_MS = 10000, /* virtual: by then everything has happened */
    PATIENCE_MS = 30000,
    HEARD_US = 100 * 1000
};

struct slot {
    struct log_port *port; /* NULL: nobody is here */
    char instance[8];      /* "": dynamic */
    unsigned held;         /* partitions of the input, a bit each */
    char events[64];       /* what it was told in this step */
};

struct group {
    struct side side;
    const struct world *names;
    struct slot slots[SLOTS];
    int opened; /* transactional ids are not used twice */
};

enum step_kind {
    JOIN,
    LEAVE,
    RESTART,
    TWIN,
    DIE,
    COMMIT,
    JOIN_HALFWAY, /* one member answered the revocation, another has not: it commits */
    JOIN_UNHEARD, /* it answered, and has not heard of its new assignment: it commits */
    STEP_KINDS
};
static const char *const step_names[STEP_KINDS] = {
    "join", "leave", "restart", "twin", "die", "commit", "join_halfway", "join_unheard"
};

struct step {
    enum step_kind kind;
    int number, slot;
    bool is_static;
    bool last_words; /* whoever is revoked commits before it answers */
};

/* --- what members do -------------------------------------------------------------------------- */

static void open_slot(struct group *group, struct slot *slot)
{
    char id[16];
    const int topic = TOPIC_IN;
    snprintf(id, sizeof id, "t%d", group->opened++);
    slot->port = side_port(&group->side, group->names,
                           slot->instance[0] == '\0' ? NULL : slot->instance, id, SESSION_MS);
    slot->held = 0;
    MUST(slot->port->type->producer_open(slot->port, &failure));
    MUST(slot->port->type->subscribe(slot->port, &topic, 1, &failure));
}

static void close_slot(struct slot *slot)
{
    slot->port->type->close(slot->port);
    slot->port = NULL;
    slot->held = 0;
}

/* A transaction with an offset; nothing stays open. */
static enum status commit_offset(struct log_port *port, int64_t offset)
{
    const struct log_position position = { TOPIC_IN, 0, offset, BYTES_LITERAL("m") };
    MUST(port->type->begin(port, &failure));
    enum status st = port->type->send_offsets(port, &position, 1, &failure);
    if (st == ST_OK)
        st = port->type->commit(port, &failure);
    else
        MUST(port->type->abort(port, &failure));
    return st;
}

static void note_event(struct slot *slot, const char *event)
{
    const size_t size = strlen(slot->events);
    snprintf(slot->events + size, sizeof slot->events - size, "%s", event);
}

static void answer(struct slot *slot, const struct log_batch *batch, const struct step *step)
{
    slot->held = 0;
    switch (batch->event) {
    case LOG_EVENT_NONE:
        return;
    case LOG_EVENT_ASSIGNED:
        note_event(slot, "A");
        for (size_t i = 0; i < batch->partition_count; i++)
            slot->held |= 1U << batch->partitions[i].partition;
        break;
    case LOG_EVENT_REVOKED:
        note_event(slot, "R");
        if (step->last_words)
            note_event(slot, status_name(commit_offset(slot->port, 100 + step->number)));
        break;
    case LOG_EVENT_LOST:
        note_event(slot, "L");
        break;
    }
    MUST(slot->port->type->assign(slot->port, NULL, 0, &failure));
}

static enum log_event_kind poll_slot(struct slot *slot, const struct step *step)
{
    struct log_batch batch;
    MUST(slot->port->type->poll(slot->port, 5 * 1000, &batch, &failure));
    if (batch.event != LOG_EVENT_NONE)
        answer(slot, &batch, step);
    slot->port->type->release(slot->port, batch.records, batch.count);
    return batch.event;
}

/* --- what is seen ----------------------------------------------------------------------------- */

static int bits(unsigned mask)
{
    return __builtin_popcount(mask);
}

/* Who has what. Dynamic members are sorted by ids that the broker draws: only how much counts. */
static void describe(const struct group *group, struct text *out)
{
    int counts[PARTITIONS + 1] = { 0 };
    for (int i = 0; i < SLOTS; i++) {
        const struct slot *slot = &group->slots[i];
        if (slot->port != NULL && slot->instance[0] != '\0')
            text_add(out, "%s has %x, ", slot->instance, slot->held);
        else if (slot->port != NULL)
            counts[bits(slot->held)]++;
    }
    for (int count = PARTITIONS; count >= 0; count--) {
        for (int i = 0; i < counts[count]; i++)
            text_add(out, "one has %d, ", count);
    }
    for (int i = 0; i < SLOTS; i++) {
        if (group->slots[i].port != NULL)
            text_add(out, "%d:%s ", i, group->slots[i].events);
    }
}

static bool has_settled(const struct group *group, const struct text *expected, int64_t began_ms)
{
    if (expected == NULL)
        return side_now_ms(&group->side) - began_ms >= SETTLED_MS;
    struct text found = { .size = 0 };
    describe(group, &found);
    return strcmp(found.data, expected->data) == 0 ||
           side_now_ms(&group->side) - began_ms > PATIENCE_MS;
}

/* `expected` NULL: as long as anything may happen; otherwise until it is so. */
static void settle(struct group *group, const struct step *step, const struct text *expected,
                   struct text *out)
{
    const int64_t began_ms = side_now_ms(&group->side);
    do {
        for (int i = 0; i < SLOTS; i++) {
            if (group->slots[i].port != NULL)
                (void)poll_slot(&group->slots[i], step);
        }
    } while (!has_settled(group, expected, began_ms));
    describe(group, out);
}

/* --- steps ------------------------------------------------------------------------------------ */

/* The old one finds out; until then the group refuses it. */
static void twin(struct group *group, struct slot *slot, const struct step *step, struct text *out)
{
    struct slot old = *slot;
    enum status st = ST_OK;
    open_slot(group, slot);
    while (slot->held == 0)
        (void)poll_slot(slot, step);
    text_add(out, "%s ", commit_offset(old.port, 66) == ST_OK ? "ACCEPTED" : "refused");
    const int64_t until_ms = side_now_ms(&group->side) + PATIENCE_MS;
    while (st == ST_OK && side_now_ms(&group->side) < until_ms) {
        struct log_batch batch;
        st = old.port->type->poll(old.port, 5 * 1000, &batch, &failure);
        if (st == ST_OK && batch.event != LOG_EVENT_NONE)
            text_add(out, "event%d ", (int)batch.event);
    }
    text_add(out, "%s ", status_name(st));
    old.port->type->close(old.port);
}

/* The first that was there before answers the revocation; returns it. */
static struct slot *answer_revocation(struct group *group, const struct slot *joiner,
                                      const struct step *step)
{
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &group->slots[i];
        if (slot->port == NULL || slot == joiner)
            continue;
        while (poll_slot(slot, step) != LOG_EVENT_REVOKED)
            ;
        return slot;
    }
    return NULL;
}

/* With one other member that has answered nobody is waited for: the joiner has its partitions, and
 * then the client of the other has heard from the group too. */
static void await_joiner(struct group *group, struct slot *joiner, const struct step *step)
{
    while (poll_slot(joiner, step) != LOG_EVENT_ASSIGNED)
        ;
    if (side_is_real(&group->side))
        usleep(HEARD_US);
}

static void commit_meanwhile(struct group *group, struct slot *joiner, const struct step *step,
                             struct text *out)
{
    struct slot *slot = answer_revocation(group, joiner, step);
    if (step->kind == JOIN_UNHEARD)
        await_joiner(group, joiner, step);
    text_add(out, "%s ", status_name(commit_offset(slot->port, 200 + step->number)));
}

static int member_count(const struct group *group)
{
    int count = 0;
    for (int i = 0; i < SLOTS; i++)
        count += group->slots[i].port != NULL;
    return count;
}

static void take_step(struct group *group, const struct step *step, const struct text *expected,
                      struct text *out)
{
    struct slot *slot = &group->slots[step->slot];
    for (int i = 0; i < SLOTS; i++)
        group->slots[i].events[0] = '\0';
    switch (step->kind) {
    case JOIN:
    case JOIN_HALFWAY:
    case JOIN_UNHEARD:
        slot->instance[0] = '\0';
        if (step->is_static)
            snprintf(slot->instance, sizeof slot->instance, "s%d", step->slot);
        open_slot(group, slot);
        if (step->kind != JOIN)
            commit_meanwhile(group, slot, step, out);
        break;
    case LEAVE:
        slot->port->type->leave(slot->port);
        close_slot(slot);
        break;
    case DIE:
        close_slot(slot);
        break;
    case RESTART:
        close_slot(slot);
        open_slot(group, slot);
        break;
    case TWIN:
        twin(group, slot, step, out);
        break;
    case COMMIT:
        text_add(out, "%s ", status_name(commit_offset(slot->port, step->number)));
        break;
    case STEP_KINDS:
        break;
    }
    struct text state = { .size = 0 };
    settle(group, step, expected, &state);
    text_add(out, "| %s", state.data);
}

/* --- a story ---------------------------------------------------------------------------------- */

static bool fits(const struct group *group, const struct step *step)
{
    const struct slot *slot = &group->slots[step->slot];
    const bool is_static = slot->port != NULL && slot->instance[0] != '\0';
    switch (step->kind) {
    case JOIN:
        return slot->port == NULL;
    case JOIN_HALFWAY:
        return slot->port == NULL && member_count(group) == 2;
    case JOIN_UNHEARD:
        return slot->port == NULL && member_count(group) == 1;
    case LEAVE:
        return slot->port != NULL && !is_static && member_count(group) > 1;
    case DIE:
        return slot->port != NULL && member_count(group) > 1;
    case RESTART:
    case TWIN:
        return is_static;
    case COMMIT:
        return slot->held != 0;
    case STEP_KINDS:
        break;
    }
    return false;
}

static struct step draw_step(struct prng *prng, const struct group *group, int number)
{
    static const uint8_t kinds[] = { JOIN, JOIN, JOIN,         LEAVE,        RESTART,
                                     TWIN, DIE,  JOIN_HALFWAY, JOIN_UNHEARD, COMMIT };
    struct step step;
    do {
        step = (struct step){ .kind = (enum step_kind)kinds[prng_below(prng, sizeof kinds)],
                              .number = number,
                              .slot = (int)prng_below(prng, SLOTS),
                              .is_static = prng_chance(prng, 1, 2),
                              .last_words = prng_chance(prng, 1, 2) };
    } while (!fits(group, &step));
    return step;
}

static void add_committed(struct group *group, struct text *out)
{
    for (int i = 0; i < SLOTS; i++) {
        struct log_position position = { TOPIC_IN, 0, -7, BYTES_NONE };
        struct log_port *port = group->slots[i].port;
        if (port == NULL)
            continue;
        MUST(port->type->committed(port, &position, 1, INT64_C(10000000), &failure));
        text_add(out, "committed %" PRId64, position.offset);
        return;
    }
}

static bool step_both(struct group *real, struct group *simulated, const struct step *step,
                      struct text *story)
{
    static struct text expected, found;
    expected = found = (struct text){ .size = 0 };
    take_step(simulated, step, NULL, &expected);
    /* What the members settle to is the part that is waited for. */
    const char *state = strstr(expected.data, "| ");
    struct text settled = { .size = 0 };
    text_add(&settled, "%s", state + 2);
    take_step(real, step, &settled, &found);
    add_committed(simulated, &expected);
    add_committed(real, &found);
    const bool joins = step->kind == JOIN || step->kind >= JOIN_HALFWAY;
    text_add(story, "%2d %d.%s(%s%s) -> %s\n", step->number, step->slot, step_names[step->kind],
             !joins            ? ""
             : step->is_static ? "static "
                               : "dynamic ",
             step->last_words ? "last words" : "", expected.data);
    if (strcmp(expected.data, found.data) == 0)
        return true;
    text_add(story, "   but Kafka -> %s\n", found.data);
    return false;
}

static void close_group(struct group *group)
{
    for (int i = 0; i < SLOTS; i++) {
        if (group->slots[i].port != NULL)
            close_slot(&group->slots[i]);
    }
    side_close_bare(&group->side);
}

bool groups_run(struct world *world, uint64_t seed, struct text *story)
{
    struct world own = *world; /* the same topics */
    snprintf(own.group, sizeof own.group, "%.36s-%" PRIu64, world->group, seed);
    struct group real = { .names = &own }, simulated = { .names = &own };
    side_open_bare(&real.side, &own, &own, SESSION_MS);
    side_open_bare(&simulated.side, NULL, &own, SESSION_MS);
    struct prng prng = prng_of_seed(seed);
    bool same = true;
    for (int number = 0; number < STEPS && same; number++) {
        const struct step step = draw_step(&prng, &simulated, number);
        same = step_both(&real, &simulated, &step, story);
    }
    close_group(&real);
    close_group(&simulated);
    return same;
}
