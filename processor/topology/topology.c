#include "processor/topology/topology.h"

#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/topology/digest.h"
#include "processor/topology/load_feature.h"
#include "processor/topology/load_output.h"
#include "processor/topology/load_rule.h"
#include "processor/topology/load_stream.h"
#include "processor/topology/load_table.h"
#include "processor/topology/lookback.h"
#include "processor/topology/section.h"
#include "processor/topology/yaml_bytes.h"

/* ---- the sections ---- */

static void load_name(struct loader *loader, const struct yaml_node *root)
{
    const char *name = section_text(loader, root, "topology");
    if (name == NULL)
        return;
    const bool starts_well = name[0] >= 'a' && name[0] <= 'z';
    const bool is_clean = name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
    if (!starts_well || !is_clean || strlen(name) > NAME_SIZE_MAX)
        diagnose(loader->diagnostics, yaml_map_find(root, "topology")->position,
                 "'%s' is no name for a topology: use a-z, 0-9 and -, a letter first, at most %d"
                 " characters",
                 name, NAME_SIZE_MAX);
    else
        loader->plan->name = name;
}

/* Tables that are called like something of the stream; fields and features look themselves. */
static void check_table_names(struct loader *loader, const struct frame *frame,
                              const struct yaml_node *tables)
{
    for (size_t i = 0; tables != NULL && tables->kind == YAML_MAP && i < tables->count; i++) {
        const struct frame_name *taken = frame_find(frame, tables->pairs[i].key->text);
        if (taken != NULL && taken->kind != FRAME_FIELD)
            diagnose(loader->diagnostics, tables->pairs[i].key->position,
                     "'%s' is %s of the stream already: choose another name for the table",
                     taken->name, frame_kind_text(taken->kind));
    }
}

static void compile_all(struct frame *frame, const struct yaml_node *root,
                        const struct yaml_node *stream)
{
    load_stream_programs(frame, stream);
    load_features(frame);
    load_rule_programs(frame, yaml_map_find(root, "rules"));
}

/* ---- what follows from all of it ---- */

/* What was true at the event before counts only as long as that event is kept. */
static void check_rises(struct loader *loader, const struct frame *frame,
                        const struct yaml_node *rules)
{
    const struct plan *plan = loader->plan;
    if (frame->stream->remember_us > 0 || frame->window_count > 0)
        return;
    for (size_t i = 0; i < plan->rule_count; i++)
        if (plan->rules[i].repeat == REPEAT_ON_RISE)
            diagnose(loader->diagnostics,
                     yaml_map_find(yaml_map_find(rules, plan->rules[i].name), "repeat")->position,
                     "'on rise' compares with the event before: say how long that one counts, give"
                     " stream '%s' a 'remember: { for: 30d }'",
                     frame->stream->name);
}

static void settle_retention(struct loader *loader, struct plan_stream *stream,
                             const struct yaml_node *node)
{
    const struct yaml_node *remember = yaml_map_find(node, "remember");
    const int64_t longest_us = lookback_longest_us(stream->windows, stream->window_count);
    if (stream->remember_us > 0 && stream->remember_us < longest_us)
        diagnose_warning(
            loader->diagnostics, remember->position,
            "a feature looks back further than 'remember' says; events are kept as long"
            " as it needs them");
    if (stream->remember_us == 0)
        stream->remember_us = longest_us;
    stream->look_back_us = stream->remember_us > longest_us ? stream->remember_us : longest_us;
    const int64_t read_us = stream->look_back_us > stream->dedupe_us ? stream->look_back_us : stream->dedupe_us;
    if (read_us == 0 && remember != NULL)
        diagnose_warning(loader->diagnostics, remember->position,
                         "no feature looks back, so no events are remembered; say for how long with 'for: 30d'");
    stream->retention_us = read_us > 0 ? read_us + stream->accept_late_us : 0;
}

/* The second time: no errors can come up, because nothing but slots is different. */
static void compile_to_run(struct frame *frame, const struct yaml_node *root,
                           const struct yaml_node *stream, struct remember remember)
{
    struct loader *loader = frame->loader;
    const size_t errors = loader_errors(loader);
    frame_lay_out(frame, remember.anything || frame->aggregate_count > 0, remember.all);
    frame_restart(frame);
    loader->programs = loader->memory;
    compile_all(frame, root, stream);
    ENSURE(loader_errors(loader) == errors);
    frame_finish(frame);
    load_rule_explanations(frame);
    load_rule_conditions(loader, frame->stream);
    settle_retention(loader, frame->stream, stream);
    plan_digest(loader->plan);
}

static void load_stream(struct loader *loader, const struct yaml_node *root,
                        const struct yaml_pair *pair)
{
    struct plan *plan = loader->plan;
    struct plan_stream *stream = &plan->streams[0];
    plan->stream_count = 1;
    load_stream_options(loader, stream, pair->key, pair->value);
    struct frame frame;
    frame_init(&frame, loader, stream, COLUMNS_MAX + FIELDS_MAX + FEATURES_MAX);
    load_stream_names(&frame, pair->value);
    load_feature_names(&frame, yaml_map_find(root, "features"));
    check_table_names(loader, &frame, yaml_map_find(root, "tables"));
    const struct remember remember = load_stream_remember(&frame, pair->value);
    load_rule_options(loader, yaml_map_find(root, "rules"));
    load_outputs(loader, root);
    /* Without a schema every name would be unknown. */
    if (frame.column_count > 0) {
        compile_all(&frame, root, pair->value);
        load_tables_check_keys(loader, yaml_map_find(root, "tables"));
        check_rises(loader, &frame, yaml_map_find(root, "rules"));
    }
    if (loader_errors(loader) == 0)
        compile_to_run(&frame, root, pair->value, remember);
    frame_fini(&frame);
}

static void load_root(struct loader *loader, const struct yaml_node *root,
                      struct plan_memory *scratch)
{
    if (!section_check(loader, &section_topology, NULL, root))
        return;
    load_name(loader, root);
    load_tables(loader, yaml_map_find(root, "tables"));
    loader->programs = scratch; /* the stream's are compiled twice; those of tables once */
    const struct yaml_pair *stream = NULL;
    if (load_stream_find(loader, yaml_map_find(root, "streams"), &stream))
        load_stream(loader, root, stream);
}

/* ---- entry points ---- */

static struct plan *plan_create(struct plan_memory *memory, const char *name)
{
    struct arena *arena = plan_memory_arena(memory);
    struct plan *plan = arena_alloc_zeroed(arena, sizeof *plan);
    plan->owner = memory;
    plan->file = arena_copy_string(arena, name);
    plan->streams = arena_alloc_zeroed(arena, STREAMS_MAX * sizeof plan->streams[0]);
    return plan;
}

enum status topology_load_text(struct plan **out, const char *name, struct bytes text,
                               const struct topology_options *options,
                               struct diagnostics *diagnostics, struct error *err)
{
    static const struct topology_options none = { 0 };
    ENSURE(*out == NULL);
    AUTO(plan_memory_destroy) struct plan_memory *memory = NULL;
    AUTO(plan_memory_destroy) struct plan_memory *scratch = NULL;
    AUTO(yaml_tree_destroy) struct yaml_tree *tree = NULL;
    plan_memory_create(&memory);
    plan_memory_create(&scratch);
    yaml_tree_parse(&tree, text, diagnostics);
    struct loader loader = { .file = name,
                             .options = options == NULL ? &none : options,
                             .diagnostics = diagnostics,
                             .text = yaml_tree_text(tree),
                             .arena = plan_memory_arena(memory),
                             .memory = memory,
                             .programs = memory,
                             .plan = plan_create(memory, name) };
    if (yaml_tree_root(tree) != NULL)
        load_root(&loader, yaml_tree_root(tree), scratch);
    diagnostics_sort(diagnostics);
    if (diagnostics->errors > 0)
        return FAIL(err, ST_INVALID, "%s has %zu error%s", name, diagnostics->errors,
                    diagnostics->errors == 1 ? "" : "s");
    (void)TAKE(memory); /* the plan owns it now */
    *out = loader.plan;
    return ST_OK;
}

static enum status read_file(struct buffer *out, const char *path, struct error *err)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return FAIL(err, ST_NOT_FOUND, "the topology file '%s' cannot be opened: %m", path);
    size_t got = 1;
    while (got > 0 && out->size <= YAML_TEXT_MAX) {
        uint8_t block[8192];
        got = fread(block, 1, sizeof block, file);
        buffer_put(out, block, got);
    }
    const bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed)
        return FAIL(err, ST_IO_FAILED, "the topology file '%s' cannot be read", path);
    return ST_OK;
}

enum status topology_load_file(struct plan **out, const char *path,
                               const struct topology_options *options,
                               struct diagnostics *diagnostics, struct error *err)
{
    AUTO(buffer_fini) struct buffer text;
    buffer_init(&text);
    TRY(read_file(&text, path, err));
    return topology_load_text(out, path, buffer_view(&text), options, diagnostics, err);
}
