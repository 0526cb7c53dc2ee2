#include "processor/topology/frame.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

void frame_init(struct frame *frame, struct loader *loader, struct plan_stream *stream,
                size_t name_max)
{
    *frame = (struct frame){ .loader = loader, .stream = stream };
    frame->names = mem_alloc_array(name_max, sizeof frame->names[0]);
    frame->aggregates = mem_alloc_array(AGGREGATES_MAX, sizeof frame->aggregates[0]);
    frame->measures = mem_alloc_array((size_t)AGGREGATES_MAX * 2 + 1, sizeof frame->measures[0]);
    frame->windows = mem_alloc_array(AGGREGATES_MAX, sizeof frame->windows[0]);
    frame->compiling = mem_alloc_array(FEATURES_MAX, sizeof frame->compiling[0]);
    map_create(&frame->by_name, sizeof(size_t));
}

void frame_fini(struct frame *frame)
{
    mem_free(frame->names);
    mem_free(frame->aggregates);
    mem_free(frame->measures);
    mem_free(frame->windows);
    mem_free(frame->compiling);
    map_destroy(&frame->by_name);
}

const char *frame_kind_text(enum frame_kind kind)
{
    static const char *const texts[] = { "a column", "a field", "a feature" };
    return texts[kind];
}

struct frame_name *frame_find(const struct frame *frame, const char *name)
{
    const size_t *index = map_find(frame->by_name, bytes_of_string(name));
    return index == NULL ? NULL : &frame->names[*index];
}

struct frame_name *frame_add(struct frame *frame, const char *name, enum frame_kind kind,
                             const struct frame_name **taken)
{
    bool is_new = false;
    size_t *index = map_insert(frame->by_name, bytes_of_string(name), &is_new);
    if (!is_new) {
        *taken = &frame->names[*index];
        return NULL;
    }
    *index = frame->count;
    struct frame_name *added = &frame->names[frame->count];
    *added = (struct frame_name){ .name = arena_copy_string(frame->loader->arena, name),
                                  .kind = kind,
                                  .slot = (int)frame->count,
                                  .place = (int)frame->count };
    frame->count++;
    frame->column_count += kind == FRAME_COLUMN;
    frame->field_count += kind == FRAME_FIELD;
    frame->feature_count += kind == FRAME_FEATURE;
    /* The first time slots only have to differ. */
    frame->aggregate_base = (int)frame->count;
    frame->feature_base = (int)frame->count + AGGREGATES_MAX;
    return added;
}

void frame_restart(struct frame *frame)
{
    for (size_t i = 0; i < frame->count; i++) {
        frame->names[i].state = FRAME_WAITING;
        frame->names[i].program = NULL;
    }
    frame->depth = 0;
    frame->features_ready = 0;
    frame->aggregate_count = 0;
    frame->measure_count = 0;
    frame->window_count = 0;
}

/* ---- layout ---- */

static bool is_remembered(const struct frame_name *name, bool anything, bool all)
{
    return name->identifies ||
           (anything && name->kind != FRAME_FEATURE && (all || name->wanted || name->replayed));
}

static void lay_out_names(struct frame *frame)
{
    struct plan_stream *stream = frame->stream;
    const size_t most = frame->column_count + frame->field_count;
    stream->decoder_columns =
        arena_alloc_zeroed(frame->loader->arena, (most + 1) * sizeof stream->decoder_columns[0]);
    stream->slots_named =
        arena_alloc_zeroed(frame->loader->arena, (most + 1) * sizeof stream->slots_named[0]);
    int slot = 0;
    for (size_t i = 0; i < most; i++) {
        struct frame_name *name = &frame->names[i];
        name->slot = -1;
        if (name->kind == FRAME_COLUMN && !name->used && name->place < 0)
            continue;
        name->slot = slot++;
        stream->slots_named[name->slot] = (struct plan_field){
            .name = name->name, .slot = name->slot, .type = name->type, .sensitive = name->sensitive
        };
        if (name->kind != FRAME_COLUMN)
            continue;
        stream->decoder_columns[name->slot] =
            (struct decoder_column){ .path = name->name, .type = name->type };
        stream->decoder_column_count = (size_t)name->slot + 1;
    }
    stream->named_count = (size_t)slot;
}

static void lay_out_memory(struct frame *frame)
{
    struct plan_stream *stream = frame->stream;
    const size_t most = frame->column_count + frame->field_count;
    int *slots = arena_alloc_zeroed(frame->loader->arena, (most + 1) * sizeof slots[0]);
    stream->remembered_columns =
        arena_alloc_zeroed(frame->loader->arena, (most + 1) * sizeof stream->remembered_columns[0]);
    for (size_t i = 0; i < most; i++) {
        const struct frame_name *name = &frame->names[i];
        if (name->place < 0)
            continue;
        slots[name->place] = name->slot;
        stream->remembered_columns[name->place] =
            (struct layout_column){ .name = name->name, .type = name->type };
    }
    stream->remembered = slots;
}

void frame_lay_out(struct frame *frame, bool remember_anything, bool remember_all)
{
    int places = 0;
    for (size_t i = 0; i < frame->count; i++) {
        struct frame_name *name = &frame->names[i];
        name->place = is_remembered(name, remember_anything, remember_all) ? places++ : -1;
    }
    frame->stream->remembered_count = (size_t)places;
    lay_out_names(frame);
    lay_out_memory(frame);
    frame->aggregate_base = (int)frame->stream->named_count;
    frame->feature_base = frame->aggregate_base + (int)frame->aggregate_count;
    frame->stream->slot_count = (size_t)frame->feature_base + frame->feature_count;
    frame->laid_out = true;
}

/* ---- into the plan ---- */

static void *keep_array(struct frame *frame, const void *items, size_t count, size_t item_size)
{
    void *kept = arena_alloc_zeroed(frame->loader->arena, (count + 1) * item_size);
    if (count > 0)
        memcpy(kept, items, count * item_size);
    return kept;
}

static void finish_names(struct frame *frame)
{
    struct plan_stream *stream = frame->stream;
    stream->features = arena_alloc_zeroed(frame->loader->arena,
                                          (frame->feature_count + 1) * sizeof stream->features[0]);
    stream->feature_count = frame->feature_count;
    for (size_t i = 0; i < frame->count; i++) {
        const struct frame_name *name = &frame->names[i];
        if (name->kind == FRAME_FIELD) {
            stream->slots_named[name->slot].program = name->program;
            stream->slots_named[name->slot].text = name->text;
        } else if (name->kind == FRAME_FEATURE) {
            ENSURE(name->state == FRAME_READY);
            stream->features[name->order] = (struct plan_feature){ .name = name->name,
                                                                   .text = name->text,
                                                                   .slot = name->slot,
                                                                   .type = name->type,
                                                                   .sensitive = name->sensitive,
                                                                   .is_computed = name->is_computed,
                                                                   .program = name->program };
        }
    }
}

static void finish_computed(struct frame *frame)
{
    struct plan_stream *stream = frame->stream;
    stream->computed =
        arena_alloc_zeroed(frame->loader->arena, (frame->feature_count + 1) * sizeof stream->computed[0]);
    for (size_t i = 0; i < stream->feature_count; i++) {
        if (stream->features[i].is_computed)
            stream->computed[stream->computed_count++] = &stream->features[i];
    }
}

void frame_finish(struct frame *frame)
{
    struct plan_stream *stream = frame->stream;
    ENSURE(frame->laid_out);
    ENSURE(frame->feature_base == frame->aggregate_base + (int)frame->aggregate_count);
    finish_names(frame);
    finish_computed(frame);
    stream->aggregates =
        keep_array(frame, frame->aggregates, frame->aggregate_count, sizeof frame->aggregates[0]);
    stream->aggregate_count = frame->aggregate_count;
    stream->measures =
        keep_array(frame, frame->measures, frame->measure_count, sizeof frame->measures[0]);
    stream->measure_count = frame->measure_count;
    stream->windows =
        keep_array(frame, frame->windows, frame->window_count, sizeof frame->windows[0]);
    stream->window_count = frame->window_count;
}
