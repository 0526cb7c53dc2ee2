#include "processor/topology/section.h"

#include <string.h>

#include "processor/expression/expression.h"

enum { TOPIC_SIZE_MAX = 249, DURATION_DAYS_MAX = 3660 };

static const char *kind_text(const struct yaml_node *node)
{
    switch (node->kind) {
    case YAML_NULL:
        return "nothing";
    case YAML_SCALAR:
        return "a text";
    case YAML_LIST:
        return "a list";
    case YAML_MAP:
        return "a map";
    }
    return "something else";
}

static bool check_is_map(struct loader *loader, const char *what, const struct yaml_node *name,
                         const struct yaml_node *node)
{
    if (node->kind == YAML_MAP)
        return !node->broken;
    if (node->broken)
        return false;
    const bool is_empty = node->kind == YAML_NULL && name != NULL;
    diagnose(loader->diagnostics, is_empty ? name->position : node->position,
             "%s is a map of keys and values; here is %s", what, kind_text(node));
    return false;
}

static const struct language_key *find_key(const struct language_section *section, const char *name)
{
    for (size_t i = 0; i < section->count; i++)
        if (strcmp(section->keys[i].name, name) == 0)
            return &section->keys[i];
    return NULL;
}

static void refuse_unknown_key(struct loader *loader, const struct language_section *section,
                               const struct yaml_node *key)
{
    struct nearest_name nearest = { .wanted = key->text };
    for (size_t i = 0; i < section->count; i++)
        nearest_name_offer(&nearest, section->keys[i].name);
    if (nearest.best != NULL) {
        diagnose(loader->diagnostics, key->position, "%s has no key '%s'; did you mean '%s'?",
                 section->what, key->text, nearest.best);
        return;
    }
    struct buffer known;
    buffer_init(&known);
    for (size_t i = 0; i < section->count; i++)
        if (section->keys[i].need != KEY_LATER)
            buffer_printf(&known, "%s%s", known.size == 0 ? "" : ", ", section->keys[i].name);
    diagnose(loader->diagnostics, key->position, "%s has no key '%s'; it has %s", section->what,
             key->text, buffer_text(&known));
    buffer_fini(&known);
}

bool section_check(struct loader *loader, const struct language_section *section,
                   const struct yaml_node *name, const struct yaml_node *node)
{
    if (!check_is_map(loader, section->what, name, node))
        return false;
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *key = node->pairs[i].key;
        const struct language_key *known = find_key(section, key->text);
        if (known == NULL)
            refuse_unknown_key(loader, section, key);
        else if (known->need == KEY_LATER)
            diagnose(loader->diagnostics, key->position,
                     "'%s' is not supported yet by this version", key->text);
    }
    for (size_t i = 0; i < section->count; i++)
        if (section->keys[i].need == KEY_REQUIRED &&
            yaml_map_find(node, section->keys[i].name) == NULL)
            diagnose(loader->diagnostics, name == NULL ? node->position : name->position,
                     "%s needs '%s'", section->what, section->keys[i].name);
    return true;
}

bool section_check_names(struct loader *loader, const struct yaml_node *node, const char *what,
                         size_t max)
{
    if (node == NULL || node->kind == YAML_NULL)
        return false;
    if (!check_is_map(loader, what, NULL, node))
        return false;
    if (node->count <= max)
        return true;
    diagnose(loader->diagnostics, node->pairs[max].key->position, "%s: at most %zu are allowed",
             what, max);
    return false;
}

const struct yaml_node *section_value(struct loader *loader, const struct yaml_node *map,
                                      const char *key)
{
    const struct yaml_pair *pair = yaml_map_find_pair(map, key);
    if (pair == NULL || pair->value->broken)
        return NULL;
    if (pair->value->kind != YAML_NULL)
        return pair->value;
    diagnose(loader->diagnostics, pair->key->position,
             "'%s' has no value: give one, or leave the key out", key);
    return NULL;
}

static const struct yaml_node *plain_value(struct loader *loader, const struct yaml_node *map,
                                           const char *key)
{
    const struct yaml_node *value = section_value(loader, map, key);
    if (value == NULL || value->kind == YAML_SCALAR)
        return value;
    diagnose(loader->diagnostics, value->position, "'%s' is a single value; here is %s", key,
             kind_text(value));
    return NULL;
}

const char *section_text(struct loader *loader, const struct yaml_node *map, const char *key)
{
    const struct yaml_node *value = plain_value(loader, map, key);
    if (value == NULL)
        return NULL;
    if (value->size > 0)
        return arena_copy_string(loader->arena, value->text);
    diagnose(loader->diagnostics, value->position, "'%s' is empty", key);
    return NULL;
}

const char *section_topic(struct loader *loader, const struct yaml_node *map, const char *key)
{
    const char *topic = section_text(loader, map, key);
    if (topic == NULL)
        return NULL;
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const bool is_dots = strcmp(topic, ".") == 0 || strcmp(topic, "..") == 0;
    if (topic[strspn(topic, allowed)] == '\0' && strlen(topic) <= TOPIC_SIZE_MAX && !is_dots)
        return topic;
    diagnose(loader->diagnostics, yaml_map_find(map, key)->position,
             "'%s' is no name of a topic: Kafka allows up to %d of a-z A-Z 0-9 . _ -", topic,
             TOPIC_SIZE_MAX);
    return NULL;
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789.")] == '\0';
}

bool section_parse_duration(struct loader *loader, const struct yaml_node *value, const char *what,
                            int64_t *out_us)
{
    const int64_t most_us = (int64_t)DURATION_DAYS_MAX * 24 * 3600 * 1000000;
    if (value->kind != YAML_SCALAR)
        diagnose(loader->diagnostics, value->position,
                 "'%s' is a duration like 30s, 10m, 24h or 30d; here is %s", what,
                 kind_text(value));
    else if (is_number(value->text))
        diagnose(loader->diagnostics, value->position,
                 "'%s' needs a unit: %ss is seconds, %sm minutes, %sh hours, %sd days", what,
                 value->text, value->text, value->text, value->text);
    else if (!duration_parse(out_us, value->text))
        diagnose(loader->diagnostics, value->position,
                 "'%s' is no duration: write it like 250ms, 30s, 10m, 1h30m or 30d", value->text);
    else if (*out_us < 0 || *out_us > most_us)
        diagnose(loader->diagnostics, value->position, "'%s' must lie between 0s and %dd", what,
                 DURATION_DAYS_MAX);
    else
        return true;
    return false;
}

int64_t section_duration(struct loader *loader, const struct yaml_node *map, const char *key,
                         int64_t otherwise)
{
    const struct yaml_node *value = section_value(loader, map, key);
    int64_t duration_us = 0;
    if (value == NULL || !section_parse_duration(loader, value, key, &duration_us))
        return otherwise;
    return duration_us;
}

int section_choice(struct loader *loader, const struct yaml_node *map, const char *key,
                   const char *const *words, int otherwise)
{
    const struct yaml_node *value = plain_value(loader, map, key);
    if (value == NULL)
        return otherwise;
    struct buffer known;
    buffer_init(&known);
    int chosen = -1;
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], value->text) == 0)
            chosen = i;
        buffer_printf(&known, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    if (chosen < 0)
        diagnose(loader->diagnostics, value->position, "'%s' cannot be '%s'; it is one of: %s", key,
                 value->text, buffer_text(&known));
    buffer_fini(&known);
    return chosen < 0 ? otherwise : chosen;
}

bool section_flag(struct loader *loader, const struct yaml_node *map, const char *key,
                  bool otherwise)
{
    static const char *const words[] = { "no", "yes", "false", "true", NULL };
    return section_choice(loader, map, key, words, otherwise ? 1 : 0) % 2 == 1;
}

bool section_check_name(struct loader *loader, const struct yaml_node *name, const char *what)
{
    const char *text = name->text;
    const bool starts_well = text[0] >= 'a' && text[0] <= 'z';
    if (!starts_well || text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0')
        diagnose(loader->diagnostics, name->position,
                 "'%s' is no name for %s: use a-z, 0-9 and _, a letter first", text, what);
    else if (name->size > NAME_SIZE_MAX)
        diagnose(loader->diagnostics, name->position, "the name of %s has at most %d characters",
                 what, NAME_SIZE_MAX);
    else if (language_is_reserved(text))
        diagnose(loader->diagnostics, name->position,
                 "'%s' is a word of the expression language: choose another name for %s", text,
                 what);
    else
        return true;
    return false;
}
