/*
 * language: the sections of a topology file and the keys that each of them knows.
 *
 * The one place to add a key. docs/topology-language.md and topologies/topology.schema.json
 * describe the same keys; a test compares the three.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_LANGUAGE_H
#define WEIR_PROCESSOR_TOPOLOGY_LANGUAGE_H

#include <stdbool.h>
#include <stddef.h>

enum key_need {
    KEY_OPTIONAL,
    KEY_REQUIRED,
    KEY_LATER, /* part of the language, but not of this version */
};

struct language_key {
    const char *name;
    enum key_need need;
};

struct language_section {
    const char *what; /* "a stream", for messages */
    const struct language_key *keys;
    size_t count;
};

extern const struct language_section section_topology;
extern const struct language_section section_stream;
extern const struct language_section section_remember;
extern const struct language_section section_table;
extern const struct language_section section_rule;
extern const struct language_section section_outputs;
extern const struct language_section section_alerts;
extern const struct language_section section_dead_letters;

/* A word that the expression language keeps for itself. */
bool language_is_reserved(const char *word);

#endif
