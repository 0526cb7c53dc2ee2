/*
 * topology: reads a topology file and turns it into a plan, or says everything that is wrong with
 * it.
 *
 * Every message has file:line:column, what is wrong and what would be right; as many as can be
 * found in one pass are reported. libfyaml is included by the one file of this folder that reads
 * YAML into positioned nodes.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_TOPOLOGY_H
#define WEIR_PROCESSOR_TOPOLOGY_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "processor/topology/plan.h"

enum { DIAGNOSTICS_MAX = 64 };

struct diagnostic {
    int line, column; /* from 1 */
    bool warning;
    char *text;
};
struct diagnostics {
    const char *file;
    struct diagnostic items[DIAGNOSTICS_MAX];
    size_t count;
    size_t errors;
    bool truncated;
};
void diagnostics_init(struct diagnostics *diagnostics, const char *file);
void diagnostics_fini(struct diagnostics *diagnostics);
/* "file:line:column: error: text" lines. */
void diagnostics_format(const struct diagnostics *diagnostics, struct buffer *out);

struct topology_options {
    const char *schemas_directory; /* searched after the topology file's own directory; or NULL */
    /*
     * Where to find a schema or topology that is on no disk (the demo's built-in files); or NULL.
     */
    bool (*find_embedded)(void *context, const char *name, struct bytes *content);
    void *context;
};

/*
 * ST_INVALID when the diagnostics hold an error; other failures (the file cannot be read) are in
 * err.
 */
MUST_CHECK enum status topology_load_file(struct plan **out, const char *path,
                                          const struct topology_options *options,
                                          struct diagnostics *diagnostics, struct error *err);
MUST_CHECK enum status topology_load_text(struct plan **out, const char *name, struct bytes text,
                                          const struct topology_options *options,
                                          struct diagnostics *diagnostics, struct error *err);

/* What it reads, keeps, computes and writes, for people (`weir plan`) or as JSON. */
void plan_describe(const struct plan *plan, bool json, struct buffer *out);

/*
 * The part of a plan that state depends on, as stable text: kept with the state (a row of the
 * task), compared at open. A change of key, id, stream topic or partitioning of something that has
 * state is refused with the way out; everything else is allowed, and `changes` gets a sentence for
 * each difference.
 */
void plan_state_signature(const struct plan *plan, struct buffer *out);
MUST_CHECK enum status plan_check_state_change(const struct plan *plan, struct bytes old_signature,
                                               struct buffer *changes, struct error *err);

#endif
