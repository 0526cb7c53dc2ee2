#include "sim_consumer.h"

#include <inttypes.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "sim_fetch.h"
#include "sim_model.h"

enum { EVENTS_MAX = 8, NO_GENERATION = -1 };

enum state {
    OUTSIDE,  /* not subscribed */
    JOINING,  /* waits for the others */
    ASSIGNED, /* the application has not answered, or not even heard */
    STEADY,
    REVOKING /* likewise, of a revocation or a loss */
};

struct event {
    enum log_event_kind kind;
    struct log_partition *partitions;
    size_t count;
};

struct sim_consumer {
    struct sim_cluster *cluster;
    int64_t number; /* the port's */
    const char *instance;
    const int *topics;
    size_t topic_count;
    uint32_t subscribed; /* the cluster's topics, a bit each */
    struct sim_fetch *fetch;
    enum state state;
    int64_t member;
    int32_t generation;      /* that the client knows */
    int32_t told_generation; /* that gave us our partitions */
    bool frozen, dead, fenced, leaving;
    struct event events[EVENTS_MAX];
    size_t event_count;
    struct event told;
};

/* --- life ------------------------------------------------------------------------------------- */

static void enlist(struct sim_consumer *consumer)
{
    struct sim_cluster *cluster = consumer->cluster;
    if (cluster->consumer_count == cluster->consumer_capacity) {
        cluster->consumer_capacity = cluster->consumer_capacity * 2 + 16;
        cluster->consumers = mem_resize_array(cluster->consumers, cluster->consumer_capacity,
                                              sizeof *cluster->consumers);
    }
    consumer->number = (int64_t)cluster->consumer_count;
    cluster->consumers[cluster->consumer_count++] = consumer;
}

void sim_consumer_create(struct sim_consumer **out, struct sim_cluster *cluster,
                         const char *instance, const int *topics, size_t topic_count)
{
    ENSURE(*out == NULL);
    struct sim_consumer *consumer = mem_alloc(sizeof *consumer);
    *consumer = (struct sim_consumer){ .cluster = cluster,
                                       .instance = instance,
                                       .topics = topics,
                                       .topic_count = topic_count,
                                       .member = SIM_NOBODY,
                                       .generation = NO_GENERATION,
                                       .told_generation = NO_GENERATION };
    sim_fetch_create(&consumer->fetch, cluster, topics, topic_count);
    enlist(consumer);
    *out = consumer;
}

void sim_consumer_kill(struct sim_consumer *consumer)
{
    consumer->dead = true;
    sim_group_silence(consumer->cluster, consumer->member);
}

static void forget_events(struct sim_consumer *consumer)
{
    for (size_t i = 0; i < consumer->event_count; i++)
        mem_free(consumer->events[i].partitions);
    consumer->event_count = 0;
    mem_free(consumer->told.partitions);
    consumer->told = (struct event){ .kind = LOG_EVENT_NONE };
}

void sim_consumer_destroy(struct sim_consumer **consumer_ref)
{
    struct sim_consumer *consumer = TAKE(*consumer_ref);
    if (consumer == NULL)
        return;
    sim_consumer_kill(consumer);
    consumer->cluster->consumers[consumer->number] = NULL;
    forget_events(consumer);
    sim_fetch_destroy(&consumer->fetch);
    mem_free(consumer);
}

void sim_consumer_freeze(struct sim_consumer *consumer, bool frozen)
{
    if (consumer->dead || consumer->frozen == frozen)
        return;
    consumer->frozen = frozen;
    if (frozen) {
        sim_group_silence(consumer->cluster, consumer->member);
    } else {
        sim_group_resume(consumer->cluster, consumer->member);
        sim_consumer_plan_heartbeat(consumer->cluster, consumer->number);
    }
}

void sim_consumer_leave(struct sim_consumer *consumer)
{
    if (consumer->leaving)
        return;
    consumer->leaving = true;
    sim_fetch_assign(consumer->fetch, NULL, 0);
    if (consumer->instance != NULL)
        return;
    sim_group_leave(consumer->cluster, consumer->member);
    consumer->member = SIM_NOBODY;
    consumer->generation = NO_GENERATION;
    consumer->state = OUTSIDE;
}

void sim_consumer_start_again(struct sim_consumer *consumer)
{
    forget_events(consumer);
    sim_fetch_assign(consumer->fetch, NULL, 0);
    consumer->fenced = false;
    consumer->member = SIM_NOBODY;
    consumer->generation = consumer->told_generation = NO_GENERATION;
    consumer->state = OUTSIDE;
}

void sim_consumer_displace(struct sim_consumer *consumer)
{
    sim_group_displace(consumer->cluster, consumer->member);
}

/* --- what is heard from the group ------------------------------------------------------------- */

static void push_event(struct sim_consumer *consumer, enum log_event_kind kind,
                       const struct log_partition *partitions, size_t count)
{
    ENSURE(consumer->event_count < EVENTS_MAX);
    struct event *event = &consumer->events[consumer->event_count++];
    *event = (struct event){ kind, mem_alloc_array(count + 1, sizeof *partitions), 0 };
    for (size_t i = 0; i < count; i++) {
        for (size_t topic = 0; topic < consumer->topic_count; topic++) {
            if (consumer->topics[topic] == partitions[i].topic)
                event->partitions[event->count++] =
                    (struct log_partition){ (int)topic, partitions[i].partition };
        }
    }
}

static void join(struct sim_consumer *consumer)
{
    consumer->state = JOINING;
    const int64_t member = sim_group_join(consumer->cluster, consumer->number, consumer->member,
                                          consumer->instance, consumer->subscribed);
    consumer->fenced = consumer->fenced || member == SIM_NOBODY;
    if (member != SIM_NOBODY)
        consumer->member = member;
}

void sim_consumer_on_assigned(struct sim_cluster *cluster, const struct sim_member *member)
{
    struct sim_consumer *consumer = cluster->consumers[member->port];
    if (consumer == NULL || consumer->dead)
        return;
    ENSURE(consumer->state == JOINING);
    consumer->state = ASSIGNED;
    consumer->member = member->number;
    consumer->generation = cluster->group.generation;
    push_event(consumer, LOG_EVENT_ASSIGNED, member->partitions, member->count);
}

/* The group does not know us any more. */
static void lose(struct sim_consumer *consumer)
{
    if (sim_group_instance(&consumer->cluster->group, consumer->instance) != NULL &&
        consumer->member != SIM_NOBODY) {
        consumer->fenced = true;
        return;
    }
    consumer->member = SIM_NOBODY;
    consumer->generation = NO_GENERATION;
    if (consumer->state == JOINING)
        join(consumer);
    if (consumer->state != STEADY)
        return; /* an answer is awaited, after which it goes on */
    push_event(consumer, LOG_EVENT_LOST, consumer->told.partitions, 0);
    consumer->state = REVOKING;
}

static void hear(struct sim_consumer *consumer)
{
    struct sim_group *group = &consumer->cluster->group;
    if (consumer->dead || consumer->frozen || consumer->fenced || consumer->state == OUTSIDE)
        return;
    const struct sim_member *member = sim_group_member(group, consumer->member);
    if (member == NULL) {
        lose(consumer);
        return;
    }
    if (group->state != SIM_GROUP_PREPARING || member->joined || consumer->state != STEADY)
        return;
    push_event(consumer, LOG_EVENT_REVOKED, member->partitions, member->count);
    consumer->state = REVOKING;
}

static void on_heartbeat(void *self, int64_t number, int64_t unused)
{
    struct sim_cluster *cluster = self;
    (void)unused;
    if (cluster->consumers[number] != NULL)
        hear(cluster->consumers[number]);
}

void sim_consumer_plan_heartbeat(struct sim_cluster *cluster, int64_t number)
{
    const struct sim_consumer *consumer = cluster->consumers[number];
    if (consumer == NULL || consumer->dead)
        return;
    const int64_t in_us = prng_between(&cluster->prng, 1, SIM_HEARTBEAT_US);
    sim_time_plan(&cluster->time, &(struct sim_event){ .at_us = cluster->time.now_us + in_us,
                                                       .happen = on_heartbeat,
                                                       .self = cluster,
                                                       .a = number });
}

/* --- what the application does ---------------------------------------------------------------- */

void sim_consumer_subscribe(struct sim_consumer *consumer, const int *topics, size_t count)
{
    consumer->subscribed = 0;
    for (size_t i = 0; i < count; i++) {
        const int topic = consumer->topics[topics[i]];
        if (topic >= 0)
            consumer->subscribed |= 1U << topic;
    }
    if (consumer->state == OUTSIDE && !consumer->leaving)
        join(consumer);
}

static bool is_revoked(const struct sim_consumer *consumer)
{
    return consumer->told.kind == LOG_EVENT_REVOKED || consumer->told.kind == LOG_EVENT_LOST;
}

static void answer(struct sim_consumer *consumer)
{
    if (is_revoked(consumer) && consumer->state == REVOKING) {
        join(consumer);
    } else if (consumer->told.kind == LOG_EVENT_ASSIGNED && consumer->state == ASSIGNED) {
        consumer->state = STEADY;
        /* What has happened meanwhile is heard now. */
        if (consumer->member == SIM_NOBODY)
            lose(consumer);
        else if (consumer->cluster->group.state == SIM_GROUP_PREPARING)
            sim_consumer_plan_heartbeat(consumer->cluster, consumer->number);
    }
}

void sim_consumer_assign(struct sim_consumer *consumer, const struct log_position *positions,
                         size_t count)
{
    ENSURE(!is_revoked(consumer) || count == 0);
    sim_fetch_assign(consumer->fetch, positions, count);
    if (consumer->event_count == 0 && !consumer->fenced && !consumer->leaving)
        answer(consumer);
}

static void pop_event(struct sim_consumer *consumer, struct log_batch *out)
{
    if (consumer->event_count == 0)
        return;
    mem_free(consumer->told.partitions);
    consumer->told = consumer->events[0];
    consumer->event_count--;
    memmove(consumer->events, consumer->events + 1,
            consumer->event_count * sizeof *consumer->events);
    if (consumer->told.kind == LOG_EVENT_ASSIGNED)
        consumer->told_generation = consumer->generation;
    out->event = consumer->told.kind;
    out->partitions = consumer->told.partitions;
    out->partition_count = consumer->told.count;
}

enum status sim_consumer_poll(struct sim_consumer *consumer, int64_t timeout_us,
                              struct log_batch *out, struct error *err)
{
    struct sim_time *time = &consumer->cluster->time;
    const int64_t deadline_us = time->now_us + (timeout_us > 0 ? timeout_us : 0);
    *out = (struct log_batch){ .records = NULL };
    for (;;) {
        if (consumer->fenced)
            return FAIL(err, ST_FENCED, "the consumer: another process has its instance id");
        if (consumer->event_count == 0)
            sim_fetch_poll(consumer->fetch, out);
        if (out->count == 0)
            pop_event(consumer, out);
        if (out->count > 0 || out->event != LOG_EVENT_NONE || time->now_us >= deadline_us)
            return ST_OK;
        sim_time_wait(time, deadline_us);
    }
}

enum status sim_consumer_metadata(const struct sim_consumer *consumer, int64_t *member,
                                  int32_t *generation, struct error *err)
{
    *member = consumer->member;
    *generation = consumer->generation;
    if (consumer->generation >= 0 && consumer->generation == consumer->told_generation)
        return ST_OK;
    return FAIL(err, ST_REASSIGNED,
                "the group is in generation %" PRId32 ", our partitions are of generation %" PRId32,
                consumer->generation, consumer->told_generation);
}
