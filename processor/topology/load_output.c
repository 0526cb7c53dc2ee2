#include "processor/topology/load_output.h"

#include <string.h>

#include "processor/topology/section.h"

/* The map under a key of `outputs:`; NULL when left out or no map. */
static const struct yaml_node *find_output(struct loader *loader, const struct yaml_node *outputs,
                                           const char *key, const struct language_section *section)
{
    const struct yaml_node *node = outputs == NULL ? NULL : section_value(loader, outputs, key);
    return node != NULL && section_check(loader, section, NULL, node) ? node : NULL;
}

static const char *topic_or(struct loader *loader, const struct yaml_node *node, const char *suffix)
{
    const char *topic = node == NULL ? NULL : section_topic(loader, node, "topic");
    const char *name = loader->plan->name == NULL ? "" : loader->plan->name;
    return topic != NULL ? topic : arena_format(loader->arena, "%s-%s", name, suffix);
}

/* ---- no topic twice ---- */

struct topic_use {
    const char *topic, *what;
    struct file_position position;
};

static void check_internal(struct loader *loader, const struct topic_use *use)
{
    static const char *const suffixes[] = { "tail", "changelog", "journal", "reference", "rules" };
    const char *name = loader->plan->name;
    const size_t size = name == NULL ? 0 : strlen(name);
    if (size == 0 || strncmp(use->topic, name, size) != 0 || use->topic[size] != '-')
        return;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (strcmp(use->topic + size + 1, suffixes[i]) == 0)
            diagnose(loader->diagnostics, use->position,
                     "'%s' is a topic that the engine keeps for itself", use->topic);
}

static void check_topics(struct loader *loader, const struct topic_use *uses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (uses[i].topic == NULL)
            continue;
        check_internal(loader, &uses[i]);
        for (size_t j = 0; j < i; j++)
            if (uses[j].topic != NULL && strcmp(uses[i].topic, uses[j].topic) == 0)
                diagnose(loader->diagnostics, uses[i].position,
                         "%s: the topic '%s' is used by %s already", uses[i].what, uses[i].topic,
                         uses[j].what);
    }
}

static struct file_position topic_position(const struct yaml_node *owner)
{
    const struct yaml_node *topic =
        owner == NULL || owner->kind != YAML_MAP ? NULL : yaml_map_find(owner, "topic");
    return topic == NULL ? (struct file_position){ 1, 1 } : topic->position;
}

static const struct yaml_node *find_in(const struct yaml_node *root, const char *section,
                                       const char *name)
{
    const struct yaml_node *map = yaml_map_find(root, section);
    return map == NULL || map->kind != YAML_MAP ? NULL : yaml_map_find(map, name);
}

static void check_all_topics(struct loader *loader, const struct yaml_node *root)
{
    const struct plan *plan = loader->plan;
    struct topic_use uses[TABLES_MAX + STREAMS_MAX + 2];
    size_t count = 0;
    for (size_t i = 0; i < plan->stream_count; i++)
        uses[count++] =
            (struct topic_use){ plan->streams[i].topic,
                                arena_format(loader->arena, "stream '%s'", plan->streams[i].name),
                                topic_position(find_in(root, "streams", plan->streams[i].name)) };
    for (size_t i = 0; i < plan->table_count; i++)
        uses[count++] =
            (struct topic_use){ plan->tables[i].topic,
                                arena_format(loader->arena, "table '%s'", plan->tables[i].name),
                                topic_position(find_in(root, "tables", plan->tables[i].name)) };
    uses[count++] = (struct topic_use){ plan->alerts.topic, "'alerts'",
                                        topic_position(find_in(root, "outputs", "alerts")) };
    uses[count++] = (struct topic_use){ plan->dead_letters.topic, "'dead_letters'",
                                        topic_position(find_in(root, "outputs", "dead_letters")) };
    check_topics(loader, uses, count);
}

void load_outputs(struct loader *loader, const struct yaml_node *root)
{
    static const char *const formats[] = { "avro", "json", NULL };
    static const char *const payloads[] = { "original", "reference", NULL };
    const struct yaml_node *outputs = yaml_map_find(root, "outputs");
    if (outputs != NULL && !section_check(loader, &section_outputs, NULL, outputs))
        outputs = NULL;
    const struct yaml_node *alerts = find_output(loader, outputs, "alerts", &section_alerts);
    const struct yaml_node *dead =
        find_output(loader, outputs, "dead_letters", &section_dead_letters);
    struct plan *plan = loader->plan;
    plan->alerts.topic = topic_or(loader, alerts, "alerts");
    plan->dead_letters.topic = topic_or(loader, dead, "dead-letters");
    if (alerts != NULL)
        plan->alerts.format =
            (enum payload_format)section_choice(loader, alerts, "format", formats, FORMAT_AVRO);
    if (dead != NULL)
        plan->dead_letters.payload_reference =
            section_choice(loader, dead, "payload", payloads, 0) == 1;
    check_all_topics(loader, root);
}
