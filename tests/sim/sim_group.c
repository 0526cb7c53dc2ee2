#include "sim_group.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "sim_consumer.h"
#include "sim_model.h"

/* librdkafka's max.poll.interval.ms is what it asks the group to wait for its answer. */
enum { REBALANCE_TIMEOUT_US = 300 * 1000 * 1000 };

static void forget_member(struct sim_member *member)
{
    mem_free(member->instance);
    mem_free(member->partitions);
}

void sim_group_fini(struct sim_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        forget_member(&group->members[i]);
    mem_free(group->members);
}

struct sim_member *sim_group_member(struct sim_group *group, int64_t number)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->members[i].number == number)
            return &group->members[i];
    }
    return NULL;
}

struct sim_member *sim_group_instance(struct sim_group *group, const char *instance)
{
    for (size_t i = 0; instance != NULL && i < group->count; i++) {
        const char *its = group->members[i].instance;
        if (its != NULL && strcmp(its, instance) == 0)
            return &group->members[i];
    }
    return NULL;
}

bool sim_group_accepts(struct sim_cluster *cluster, int64_t number, int32_t generation)
{
    if (generation < 0)
        return true; /* who names no generation is no member, and is not checked: Kafka believes him */
    return sim_group_member(&cluster->group, number) != NULL &&
           generation == cluster->group.generation;
}

/* --- the assignment --------------------------------------------------------------------------- */

static size_t subscribers_of(const struct sim_group *group, int topic,
                             const struct sim_member *until)
{
    size_t count = 0;
    for (size_t i = 0; i < group->count && &group->members[i] != until; i++)
        count += group->members[i].topics >> topic & 1;
    return count;
}

/* Range: each topic in equal runs, the first members get one more. */
static void assign_topic(struct sim_cluster *cluster, struct sim_member *member, int topic)
{
    const struct sim_group *group = &cluster->group;
    const int32_t partitions = cluster->topics[topic].count;
    const int32_t members = (int32_t)subscribers_of(group, topic, NULL);
    const int32_t place = (int32_t)subscribers_of(group, topic, member);
    const int32_t share = partitions / members, more = partitions % members;
    const int32_t first = place * share + (place < more ? place : more);
    const int32_t count = share + (place < more);
    member->partitions = mem_resize_array(member->partitions, member->count + (size_t)count + 1,
                                          sizeof *member->partitions);
    for (int32_t p = first; p < first + count; p++)
        member->partitions[member->count++] = (struct log_partition){ topic, p };
}

static void assign(struct sim_cluster *cluster, struct sim_member *member)
{
    member->count = 0;
    for (int topic = 0; topic < (int)cluster->topic_count; topic++) {
        if (member->topics >> topic & 1)
            assign_topic(cluster, member, topic);
    }
}

/* --- rebalances ------------------------------------------------------------------------------- */

static bool all_joined(const struct sim_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (!group->members[i].joined)
            return false;
    }
    return true;
}

static void complete_if_joined(struct sim_cluster *cluster)
{
    struct sim_group *group = &cluster->group;
    if (group->state != SIM_GROUP_PREPARING || !all_joined(group))
        return;
    group->generation++;
    group->state = group->count == 0 ? SIM_GROUP_EMPTY : SIM_GROUP_STABLE;
    for (size_t i = 0; i < group->count; i++)
        assign(cluster, &group->members[i]);
    for (size_t i = 0; i < group->count; i++)
        sim_consumer_on_assigned(cluster, &group->members[i]);
}

static void remove_member(struct sim_group *group, struct sim_member *member)
{
    forget_member(member);
    const size_t index = (size_t)(member - group->members);
    memmove(member, member + 1, (--group->count - index) * sizeof *member);
}

static void on_rebalance_timeout(void *self, int64_t rebalance, int64_t unused)
{
    struct sim_cluster *cluster = self;
    struct sim_group *group = &cluster->group;
    (void)unused;
    if (group->state != SIM_GROUP_PREPARING || group->rebalances != rebalance)
        return;
    for (size_t i = group->count; i-- > 0;) {
        const int64_t port = group->members[i].port;
        if (group->members[i].joined)
            continue;
        remove_member(group, &group->members[i]);
        sim_consumer_plan_heartbeat(cluster, port);
    }
    complete_if_joined(cluster);
}

static void prepare(struct sim_cluster *cluster)
{
    struct sim_group *group = &cluster->group;
    if (group->state == SIM_GROUP_PREPARING)
        return;
    group->state = SIM_GROUP_PREPARING;
    group->rebalances++;
    for (size_t i = 0; i < group->count; i++) {
        group->members[i].joined = false;
        sim_consumer_plan_heartbeat(cluster, group->members[i].port);
    }
    sim_time_plan(&cluster->time,
                  &(struct sim_event){ .at_us = cluster->time.now_us + REBALANCE_TIMEOUT_US,
                                       .happen = on_rebalance_timeout,
                                       .self = cluster,
                                       .a = group->rebalances });
}

void sim_group_rebalance(struct sim_cluster *cluster)
{
    if (cluster->group.state == SIM_GROUP_STABLE)
        prepare(cluster);
}

static void remove_and_rebalance(struct sim_cluster *cluster, struct sim_member *member)
{
    remove_member(&cluster->group, member);
    prepare(cluster);
    complete_if_joined(cluster);
}

void sim_group_leave(struct sim_cluster *cluster, int64_t number)
{
    struct sim_member *member = sim_group_member(&cluster->group, number);
    if (member != NULL)
        remove_and_rebalance(cluster, member);
}

/* --- sessions --------------------------------------------------------------------------------- */

static void on_session_end(void *self, int64_t number, int64_t unused)
{
    struct sim_cluster *cluster = self;
    struct sim_member *member = sim_group_member(&cluster->group, number);
    (void)unused;
    if (member != NULL && member->expires_us <= cluster->time.now_us)
        remove_and_rebalance(cluster, member);
}

void sim_group_silence(struct sim_cluster *cluster, int64_t number)
{
    struct sim_member *member = sim_group_member(&cluster->group, number);
    if (member == NULL || member->expires_us != INT64_MAX)
        return;
    /* The last heartbeat was a moment ago. */
    const int64_t ago_us = prng_between(&cluster->prng, 0, SIM_HEARTBEAT_US);
    member->expires_us = cluster->time.now_us + cluster->options.session_timeout_us - ago_us;
    sim_time_plan(&cluster->time, &(struct sim_event){ .at_us = member->expires_us,
                                                       .happen = on_session_end,
                                                       .self = cluster,
                                                       .a = number });
}

void sim_group_resume(struct sim_cluster *cluster, int64_t number)
{
    struct sim_member *member = sim_group_member(&cluster->group, number);
    if (member != NULL)
        member->expires_us = INT64_MAX;
}

/* --- joining ---------------------------------------------------------------------------------- */

/* Static members are sorted by their instance ids, behind them the others as they came. */
static bool is_before(const struct sim_member *a, const struct sim_member *b)
{
    if (a->instance != NULL && b->instance != NULL)
        return strcmp(a->instance, b->instance) < 0;
    if (a->instance != NULL || b->instance != NULL)
        return a->instance != NULL;
    return a->number < b->number;
}

static struct sim_member *add_member(struct sim_group *group, const char *instance)
{
    if (group->count == group->capacity) {
        group->capacity = group->capacity * 2 + 8;
        group->members = mem_resize_array(group->members, group->capacity, sizeof *group->members);
    }
    const struct sim_member member = { .number = group->numbers++,
                                       .instance =
                                           instance == NULL ? NULL : mem_copy_string(instance) };
    size_t i = group->count++;
    for (; i > 0 && is_before(&member, &group->members[i - 1]); i--)
        group->members[i] = group->members[i - 1];
    group->members[i] = member;
    return &group->members[i];
}

/* The place has a new process: the one before learns it from its next heartbeat. */
static void take_place(struct sim_cluster *cluster, struct sim_member *member)
{
    const int64_t before = member->port;
    member->number = cluster->group.numbers++;
    sim_consumer_plan_heartbeat(cluster, before);
}

void sim_group_displace(struct sim_cluster *cluster, int64_t number)
{
    struct sim_member *member = sim_group_member(&cluster->group, number);
    if (member != NULL && cluster->group.state == SIM_GROUP_STABLE)
        take_place(cluster, member);
}

int64_t sim_group_join(struct sim_cluster *cluster, int64_t port, int64_t number,
                       const char *instance, uint32_t topics)
{
    struct sim_group *group = &cluster->group;
    struct sim_member *member = sim_group_member(group, number);
    struct sim_member *place = sim_group_instance(group, instance);
    bool is_same = false; /* nothing that would change the assignment */
    if (number != SIM_NOBODY && place != NULL && place->number != number)
        return SIM_NOBODY;
    if (member == NULL && place != NULL) {
        member = place;
        is_same = member->topics == topics;
        take_place(cluster, member);
    } else if (member == NULL) {
        member = add_member(group, instance);
    }
    const int64_t joined = member->number;
    member->port = port;
    member->topics = topics;
    member->expires_us = INT64_MAX;
    if (is_same && group->state == SIM_GROUP_STABLE) {
        sim_consumer_on_assigned(cluster, member);
        return joined;
    }
    prepare(cluster);
    sim_group_member(group, joined)->joined = true;
    complete_if_joined(cluster);
    return joined;
}
