#include "processor/topology/language.h"

#include <string.h>

#define SECTION(name, description)                           \
    const struct language_section section_##name = {         \
        .what = (description),                               \
        .keys = name##_keys,                                 \
        .count = sizeof name##_keys / sizeof name##_keys[0], \
    }

static const struct language_key topology_keys[] = {
    { "topology", KEY_REQUIRED }, { "streams", KEY_REQUIRED }, { "tables", KEY_OPTIONAL },
    { "features", KEY_OPTIONAL }, { "rules", KEY_OPTIONAL },   { "outputs", KEY_OPTIONAL },
    { "windows", KEY_LATER },     { "patterns", KEY_LATER },   { "decisions", KEY_LATER },
    { "models", KEY_LATER },
};
SECTION(topology, "a topology");

static const struct language_key stream_keys[] = {
    { "topic", KEY_REQUIRED },        { "format", KEY_REQUIRED },
    { "schema", KEY_REQUIRED },       { "key", KEY_REQUIRED },
    { "id", KEY_OPTIONAL },           { "time", KEY_OPTIONAL },
    { "out_of_order", KEY_OPTIONAL }, { "accept_late", KEY_OPTIONAL },
    { "max_ahead", KEY_OPTIONAL },    { "dedupe", KEY_OPTIONAL },
    { "late_events", KEY_OPTIONAL },  { "partitioned", KEY_OPTIONAL },
    { "remember", KEY_OPTIONAL },     { "fields", KEY_OPTIONAL },
};
SECTION(stream, "a stream");

static const struct language_key remember_keys[] = {
    { "for", KEY_OPTIONAL },
    { "columns", KEY_OPTIONAL },
};
SECTION(remember, "'remember'");

static const struct language_key table_keys[] = {
    { "topic", KEY_REQUIRED }, { "format", KEY_REQUIRED }, { "schema", KEY_REQUIRED },
    { "key", KEY_REQUIRED },   { "time", KEY_OPTIONAL },   { "versions", KEY_OPTIONAL },
    { "scope", KEY_OPTIONAL },
};
SECTION(table, "a table");

static const struct language_key rule_keys[] = {
    { "when", KEY_REQUIRED },   { "severity", KEY_REQUIRED }, { "message", KEY_OPTIONAL },
    { "repeat", KEY_OPTIONAL }, { "at", KEY_LATER },
};
SECTION(rule, "a rule");

static const struct language_key outputs_keys[] = {
    { "alerts", KEY_OPTIONAL },
    { "dead_letters", KEY_OPTIONAL },
};
SECTION(outputs, "'outputs'");

static const struct language_key alerts_keys[] = {
    { "topic", KEY_OPTIONAL },
    { "format", KEY_OPTIONAL },
};
SECTION(alerts, "'alerts'");

static const struct language_key dead_letters_keys[] = {
    { "topic", KEY_OPTIONAL },
    { "payload", KEY_OPTIONAL },
};
SECTION(dead_letters, "'dead_letters'");

bool language_is_reserved(const char *word)
{
    static const char *const reserved[] = { "and",   "or",    "not",      "in",   "if",
                                            "true",  "false", "null",     "over", "of",
                                            "where", "by",    "previous", "delay" };
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(word, reserved[i]) == 0)
            return true;
    return false;
}
