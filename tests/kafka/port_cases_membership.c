/* Membership: rebalances wait for our answer, zombies find out, places are kept or given up. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port_world.h"

#include "processor/kafka/kafka_members.h"

static struct log_port *member(struct world *world, const char *name, bool is_static)
{
    static const struct kafka_property quick[] = { { "session.timeout.ms", "3000" },
                                                   { "heartbeat.interval.ms", "200" } };
    const struct port_setup setup = { .instance = is_static ? name : NULL,
                                      .transactional_id = name,
                                      .consumer = { quick, 2 } };
    struct log_port *port = world_port(world, &setup);
    MUST(port->type->producer_open(port, &failure));
    return port;
}

static enum log_event_kind poll_event(struct log_port *port, size_t *partitions)
{
    struct log_batch batch;
    MUST(port->type->poll(port, 20 * 1000, &batch, &failure));
    port->type->release(port, batch.records, batch.count);
    *partitions = batch.partition_count;
    return batch.event;
}

static size_t answer(struct log_port *port, size_t partitions)
{
    MUST(port->type->assign(port, NULL, 0, &failure));
    return partitions;
}

/* Polls the first until the event comes, and the other along with it, which gets none. */
static size_t wait_beside(struct log_port *port, enum log_event_kind kind, struct log_port *other)
{
    const int64_t until_ms = world_ms() + 20000;
    size_t partitions = 0, ignored;
    while (poll_event(port, &partitions) != kind) {
        CHECK(world_ms() < until_ms, "event %d did not come", kind);
        CHECK(poll_event(other, &ignored) == LOG_EVENT_NONE, "an event for the other");
    }
    return partitions;
}

static void a_rebalance_waits_for_the_answer(struct world *world)
{
    struct log_port *old = member(world, "old", false), *new = member(world, "new", false);
    const int topic = TOPIC_IN;
    port_join(old, PARTITIONS);
    port_read_from(old, TOPIC_IN, 0, PARTITIONS, 0);
    port_transaction(old, 1, "before");
    MUST(new->type->subscribe(new, &topic, 1, &failure));
    const size_t revoked = wait_beside(old, LOG_EVENT_REVOKED, new);
    CHECK(revoked == PARTITIONS, "%zu revoked", revoked);
    /* Not answered yet: nobody gets anything, and committing still works. */
    size_t partitions;
    for (int64_t until_ms = world_ms() + 1500; world_ms() < until_ms;)
        CHECK(poll_event(new, &partitions) == LOG_EVENT_NONE, "assigned while we still commit");
    port_transaction(old, 2, "last words");
    MUST(old->type->assign(old, NULL, 0, &failure));

    size_t old_has = 0, new_has = 0;
    const int64_t until_ms = world_ms() + 20000;
    while ((old_has == 0 || new_has == 0) && world_ms() < until_ms) {
        if (poll_event(old, &partitions) == LOG_EVENT_ASSIGNED)
            old_has = answer(old, partitions);
        if (poll_event(new, &partitions) == LOG_EVENT_ASSIGNED)
            new_has = answer(new, partitions);
    }
    CHECK(old_has == 2 && new_has == 2, "%zu and %zu", old_has, new_has);
    CHECK(port_committed(new) == 2, "what was committed during the revocation");
    port_transaction(old, 3, "old goes on");
    port_transaction(new, 4, "new too");

    /* One leaves: the other gets all, soon. */
    const int64_t left_ms = world_ms();
    new->type->leave(new);
    while (poll_event(old, &partitions) != LOG_EVENT_REVOKED)
        CHECK(world_ms() - left_ms < 10000, "no revocation");
    MUST(old->type->assign(old, NULL, 0, &failure));
    while (poll_event(old, &partitions) != LOG_EVENT_ASSIGNED)
        CHECK(world_ms() - left_ms < 10000, "no assignment");
    CHECK(partitions == PARTITIONS, "%zu", partitions);
    CHECK(world_ms() - left_ms < 2000, "taking over took %lld ms",
          (long long)(world_ms() - left_ms));
    new->type->close(new);
    /* Leaving with an unanswered event must not hang. */
    const int64_t leaving_ms = world_ms();
    old->type->leave(old);
    CHECK(world_ms() - leaving_ms < 5000, "leaving took %lld ms",
          (long long)(world_ms() - leaving_ms));
    old->type->close(old);
}

/* A partial assignment, then more: as lanes become ready one after the other. */
static void an_assignment_is_answered_in_parts(struct world *world)
{
    for (int32_t p = 0; p < PARTITIONS; p++)
        world_load(world, TOPIC_IN, p, 0, 10);
    struct log_port *port = member(world, "one", true);
    port_join(port, PARTITIONS);
    MUST(port->type->assign(port, NULL, 0, &failure));
    for (int i = 0; i < 20; i++)
        CHECK(port_drain(port, 20 * 1000) == 0, "records of what is not assigned");
    for (int32_t p = 0; p < PARTITIONS; p++) {
        port_read_from(port, TOPIC_IN, p, 1, 0);
        size_t count = 0;
        for (int i = 0; i < 50 && count < 10; i++)
            count += port_drain(port, 100 * 1000);
        CHECK(count == 10, "partition %d: %zu", p, count);
        port_transaction(port, p + 1, "m");
    }
    port->type->leave(port);
    port->type->close(port);
}

static void a_static_member_comes_back_at_once(struct world *world)
{
    struct log_port *port = member(world, "place", true);
    port_join(port, PARTITIONS);
    MUST(port->type->assign(port, NULL, 0, &failure));
    port->type->close(port); /* as if it had died */
    const int64_t started_ms = world_ms();
    port = member(world, "place", true);
    port_join(port, PARTITIONS);
    CHECK(world_ms() - started_ms < 2500, "%lld ms", (long long)(world_ms() - started_ms));
    MUST(port->type->assign(port, NULL, 0, &failure));
    port->type->close(port);
}

static void the_same_instance_fences(struct world *world)
{
    struct log_port *old = member(world, "twin", true);
    port_join(old, PARTITIONS);
    port_read_from(old, TOPIC_IN, 0, PARTITIONS, 0);
    struct log_port *new = member(world, "twin", true);
    port_join(new, PARTITIONS);
    MUST(new->type->assign(new, NULL, 0, &failure));
    enum status st = ST_OK;
    const int64_t until_ms = world_ms() + 10000;
    while (st == ST_OK && world_ms() < until_ms) {
        struct log_batch batch;
        st = old->type->poll(old, 100 * 1000, &batch, &failure);
        if (st == ST_OK && batch.event != LOG_EVENT_NONE)
            st = old->type->assign(old, NULL, 0, &failure);
    }
    CHECK(st == ST_FENCED, "%s: %s", status_name(st), failure.text);
    old->type->leave(old);
    old->type->close(old);
    new->type->close(new);
}

/* In a process of its own, which is stopped for longer than its session lasts. */
static int zombie(struct world *world, int told)
{
    struct log_port *port = member(world, "zombie", false);
    port_join(port, PARTITIONS);
    port_read_from(port, TOPIC_IN, 0, PARTITIONS, 0);
    port_open_transaction(port, 66, "zombie");
    CHECK(write(told, "r", 1) == 1, "the pipe");
    const int64_t until_ms = world_ms() + 30000;
    while (world_ms() < until_ms) {
        size_t partitions;
        const enum log_event_kind kind = poll_event(port, &partitions);
        if (kind == LOG_EVENT_NONE)
            continue;
        CHECK(kind == LOG_EVENT_LOST, "event %d", kind);
        const struct log_position position = { TOPIC_IN, 0, 77, BYTES_NONE };
        const enum status st = port->type->send_offsets(port, &position, 1, &failure);
        CHECK(st != ST_OK, "the zombie could commit");
        MUST(port->type->abort(port, &failure));
        MUST(port->type->assign(port, NULL, 0, &failure));
        port->type->close(port);
        return 0;
    }
    return 1;
}

static void a_zombie_is_told(struct world *world)
{
    int ends[2];
    CHECK(pipe(ends) == 0, "pipe");
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0, "fork");
    if (child == 0)
        _exit(zombie(world, ends[1]));
    char ready;
    CHECK(read(ends[0], &ready, 1) == 1, "the zombie did not start");
    kill(child, SIGSTOP);
    struct log_port *heir = member(world, "heir", false);
    port_join(heir, PARTITIONS);
    port_read_from(heir, TOPIC_IN, 0, PARTITIONS, 0);
    MUST(heir->type->producer_end_foreign(heir, "nobody", &failure));
    kill(child, SIGCONT);
    /* It rejoins, so we are revoked some time; what matters is what it could do before. */
    int exit_status = 0;
    const int64_t until_ms = world_ms() + 40000;
    while (waitpid(child, &exit_status, WNOHANG) == 0) {
        size_t partitions;
        if (poll_event(heir, &partitions) != LOG_EVENT_NONE)
            MUST(heir->type->assign(heir, NULL, 0, &failure));
        CHECK(world_ms() < until_ms, "the zombie did not end");
    }
    CHECK(exit_status == 0, "the zombie failed: %d", exit_status);
    CHECK(port_committed(heir) == -1, "the zombie committed");
    heir->type->close(heir);
    close(ends[0]);
    close(ends[1]);
}

/* Answers with nothing and remembers who got what; false while some partition has nobody. */
static bool all_assigned(struct log_port **ports, size_t count, int owners[PARTITIONS])
{
    for (size_t i = 0; i < count; i++) {
        struct log_batch batch;
        MUST(ports[i]->type->poll(ports[i], 20 * 1000, &batch, &failure));
        if (batch.event == LOG_EVENT_NONE)
            continue;
        for (int p = 0; p < PARTITIONS; p++)
            owners[p] = owners[p] == (int)i ? -1 : owners[p];
        for (size_t j = 0; batch.event == LOG_EVENT_ASSIGNED && j < batch.partition_count; j++)
            owners[batch.partitions[j].partition] = (int)i;
        MUST(ports[i]->type->assign(ports[i], NULL, 0, &failure));
    }
    for (int p = 0; p < PARTITIONS; p++) {
        if (owners[p] < 0)
            return false;
    }
    return true;
}

/* A static member that gives its place up: the other has everything at once, long before the session
 * is over, and coming back is joining anew. */
static void a_static_member_gives_its_place_up(struct world *world)
{
    static const struct kafka_property slow[] = { { "session.timeout.ms", "45000" },
                                                  { "heartbeat.interval.ms", "200" } };
    const int topic = TOPIC_IN;
    struct log_port *ports[2];
    int owners[PARTITIONS];
    const char *names[] = { "a", "b" };
    memset(owners, -1, sizeof owners);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++) {
            if (round == 1 && i == 1)
                continue; /* it has stayed */
            const struct port_setup setup = { .instance = names[i],
                                              .transactional_id = names[i],
                                              .consumer = { slow, 2 } };
            char id[128];
            struct kafka_port_options options = world_options(world, &setup, id);
            options.gives_place_up = true;
            ports[i] = NULL;
            MUST(kafka_port_open(&ports[i], &options, &failure));
            MUST(ports[i]->type->subscribe(ports[i], &topic, 1, &failure));
        }
        const int64_t until_ms = world_ms() + 20000;
        while (!all_assigned(ports, 2, owners) || owners[0] == owners[PARTITIONS - 1])
            CHECK(world_ms() < until_ms, "round %d: not assigned to both", round);
        const int64_t left_ms = world_ms();
        ports[0]->type->leave(ports[0]);
        ports[0]->type->close(ports[0]);
        owners[0] = -1;
        while (!all_assigned(ports + 1, 1, owners) || owners[0] != 0)
            CHECK(world_ms() - left_ms < 10000, "round %d: nobody took over", round);
        printf("round %d: taken over after %lld ms\n", round, (long long)(world_ms() - left_ms));
        memset(owners, -1, sizeof owners);
    }
    ports[1]->type->leave(ports[1]);
    ports[1]->type->close(ports[1]);
}

static bool is_as_computed(struct members_port *asked, const char *const *names, size_t count,
                           const int owners[PARTITIONS])
{
    struct members members;
    MUST(asked->type->read(asked, &members, &failure));
    bool same = members.stable && members.count == count;
    for (int p = 0; same && p < PARTITIONS; p++)
        same = strcmp(members.items[members_owner(&members, PARTITIONS, p)].static_id,
                      names[owners[p]]) == 0;
    members_fini(&members);
    return same;
}

/* Standbys follow what members_owner says: the group must assign like that, whatever the ids. */
static void the_group_assigns_as_computed(struct world *world)
{
    static const char *const names[] = { "m-2-0", "m-10-0", "m-1-10", "m-1-2", "l" };
    enum { MEMBERS = sizeof names / sizeof names[0] };
    const struct port_setup setup = { .instance = NULL };
    char id[128];
    const struct kafka_port_options options = world_options(world, &setup, id);
    struct members_port *asked = NULL;
    struct log_port *ports[MEMBERS];
    int owners[PARTITIONS];
    const int topic = TOPIC_IN;
    memset(owners, -1, sizeof owners);
    MUST(kafka_members_open(&asked, &options, &failure));
    for (size_t count = 1; count <= MEMBERS; count++) {
        ports[count - 1] = member(world, names[count - 1], true);
        MUST(ports[count - 1]->type->subscribe(ports[count - 1], &topic, 1, &failure));
        const int64_t until_ms = world_ms() + 20000;
        while (!all_assigned(ports, count, owners) || !is_as_computed(asked, names, count, owners))
            CHECK(world_ms() < until_ms, "%zu members are not assigned as computed", count);
    }
    for (size_t i = 0; i < MEMBERS; i++)
        ports[i]->type->close(ports[i]);
    asked->type->close(asked);
}

const struct conformance_case cases_membership[] = {
    { "a_zombie_is_told", a_zombie_is_told },
    { "a_rebalance_waits_for_the_answer", a_rebalance_waits_for_the_answer },
    { "an_assignment_is_answered_in_parts", an_assignment_is_answered_in_parts },
    { "a_static_member_comes_back_at_once", a_static_member_comes_back_at_once },
    { "a_static_member_gives_its_place_up", a_static_member_gives_its_place_up },
    { "the_group_assigns_as_computed", the_group_assigns_as_computed },
    { "the_same_instance_fences", the_same_instance_fences },
    { NULL, NULL },
};
