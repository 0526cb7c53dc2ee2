/*
 * yaml_reader: YAML text as a stream of events with nodes of our own. Refuses what belongs to one
 * node: syntax errors (in libfyaml's words, with what to do), tags, anchors, aliases.
 *
 * The one file that includes libfyaml. Borrows text and arena; nodes live in the arena.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_YAML_READER_H
#define WEIR_PROCESSOR_TOPOLOGY_YAML_READER_H

#include "base/arena.h"
#include "processor/topology/yaml_tree.h"

enum yaml_event_kind {
    YAML_EVENT_END,      /* of the text, or of what can be read */
    YAML_EVENT_DOCUMENT, /* one starts */
    YAML_EVENT_NODE,     /* a scalar, or the start of a map or a list */
    YAML_EVENT_CLOSE,    /* of a map or a list */
    YAML_EVENT_OTHER,
};

struct yaml_event {
    enum yaml_event_kind kind;
    struct yaml_node *node; /* of YAML_EVENT_NODE, without children; else NULL */
    bool is_nothing;        /* an empty scalar: not a character stands there */
};

struct yaml_reader;

/* The text must outlive the reader, and end with a NUL that is not counted. */
void yaml_reader_open(struct yaml_reader **out, struct bytes text, struct arena *arena,
                      struct diagnostics *diagnostics);
void yaml_reader_close(struct yaml_reader **reader);
struct yaml_event yaml_reader_next(struct yaml_reader *reader);
/* Where the last event stood. */
struct file_position yaml_reader_position(const struct yaml_reader *reader);
/* From now on there is nothing but the end. */
void yaml_reader_stop(struct yaml_reader *reader);
/* After a syntax error, or yaml_reader_stop. */
bool yaml_reader_has_stopped(const struct yaml_reader *reader);
/* A syntax error in this line follows from one that was reported: say nothing more about it. */
void yaml_reader_hush(struct yaml_reader *reader, int line);

#endif
