#include "processor/engine/topics.h"

#include "base/memory.h"

static int add(struct topics *topics, char *name, enum topic_role role, int source)
{
    topics->items[topics->count] = (struct topic){ name, role, source };
    return topics->count++;
}

void topics_init(struct topics *topics, const struct plan *plan)
{
    enum { OWN_TOPICS = 6 };
    *topics = (struct topics){ .items = NULL };
    const size_t inputs = plan->stream_count + plan->table_count;
    topics->items = mem_alloc_array(inputs + OWN_TOPICS, sizeof *topics->items);
    for (size_t i = 0; i < plan->stream_count; i++)
        add(topics, mem_copy_string(plan->streams[i].topic), TOPIC_STREAM, (int)i);
    topics->first_table = topics->count;
    for (size_t i = 0; i < plan->table_count; i++)
        add(topics, mem_copy_string(plan->tables[i].topic), TOPIC_TABLE, (int)(plan->stream_count + i));
    topics->alerts = add(topics, mem_copy_string(plan->alerts.topic), TOPIC_ALERTS, -1);
    topics->dead_letters = add(topics, mem_copy_string(plan->dead_letters.topic), TOPIC_DEAD_LETTERS, -1);
    topics->tail = add(topics, mem_format("%s-tail", plan->name), TOPIC_TAIL, -1);
    topics->changelog = add(topics, mem_format("%s-changelog", plan->name), TOPIC_CHANGELOG, -1);
    topics->journal = add(topics, mem_format("%s-journal", plan->name), TOPIC_JOURNAL, -1);
    topics->reference = add(topics, mem_format("%s-reference", plan->name), TOPIC_REFERENCE, -1);
}

void topics_fini(struct topics *topics)
{
    for (int i = 0; i < topics->count; i++)
        mem_free(topics->items[i].name);
    mem_free(topics->items);
    *topics = (struct topics){ .items = NULL };
}

bool topics_have_everywhere(const struct plan *plan)
{
    for (size_t i = 0; i < plan->table_count; i++) {
        if (plan->tables[i].scope == TABLE_EVERYWHERE)
            return true;
    }
    return false;
}
