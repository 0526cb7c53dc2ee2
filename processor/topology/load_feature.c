#include "processor/topology/load_feature.h"

#include "processor/topology/load_expression.h"
#include "processor/topology/section.h"

void load_feature_names(struct frame *frame, const struct yaml_node *features)
{
    if (!section_check_names(frame->loader, features, "'features'", FEATURES_MAX))
        return;
    for (size_t i = 0; i < features->count; i++) {
        const struct yaml_pair *pair = &features->pairs[i];
        if (!section_check_name(frame->loader, pair->key, "a feature"))
            continue;
        const struct frame_name *taken = NULL;
        struct frame_name *feature = frame_add(frame, pair->key->text, FRAME_FEATURE, &taken);
        if (feature == NULL) {
            diagnose(frame->loader->diagnostics, pair->key->position,
                     "'%s' is %s already: choose another name for the feature", pair->key->text,
                     frame_kind_text(taken->kind));
            continue;
        }
        feature->key = pair->key;
        feature->value = pair->value;
    }
}

/* "a -> b -> a" */
static void refuse_circle(struct frame *frame, struct unit *unit)
{
    struct buffer circle;
    buffer_init(&circle);
    bool inside = false;
    for (size_t i = 0; i < frame->depth; i++) {
        inside |= frame->compiling[i] == unit->needs;
        if (inside)
            buffer_printf(&circle, "%s -> ", frame->compiling[i]->name);
    }
    buffer_put_string(&circle, unit->needs->name);
    refuse_expression(frame->loader, unit, frame->compiling[frame->depth - 1]->value,
                      "features cannot need each other: %s", buffer_text(&circle));
    buffer_fini(&circle);
}

static void begin(struct frame *frame, struct frame_name *feature)
{
    feature->state = FRAME_COMPILING;
    frame->compiling[frame->depth++] = feature;
}

static void finish(struct frame *frame, struct frame_name *feature, const struct unit *unit)
{
    feature->poisoned = unit->poisoned;
    feature->diagnostic = unit->diagnostic;
    feature->sensitive = unit->sensitive;
    feature->state = FRAME_READY;
    feature->order = frame->features_ready++;
    /* What another slot has is there already. */
    feature->slot = feature->program == NULL ? -1 : expression_slot(feature->program);
    feature->is_computed = feature->slot < 0;
    if (feature->is_computed)
        feature->slot = frame->feature_base + (int)feature->order;
    frame->depth--;
}

/* One attempt at the feature that is wanted last; it fails when another must come before. */
static void compile_last(struct frame *frame)
{
    struct frame_name *feature = frame->compiling[frame->depth - 1];
    struct unit unit = { .kind = UNIT_EVENT,
                         .loader = frame->loader,
                         .frame = frame,
                         .replayed = !frame->stream->late_own_time };
    struct loaded_expression loaded;
    if (load_expression(frame->loader, &loaded, feature->key, feature->value, &unit)) {
        feature->program = loaded.expression;
        feature->text = loaded.text;
        feature->type = expression_type(loaded.expression);
    }
    loaded_expression_fini(&loaded);
    if (unit.needs != NULL && unit.needs->state == FRAME_WAITING && !unit.poisoned) {
        begin(frame, unit.needs);
        return;
    }
    if (unit.needs != NULL && !unit.poisoned)
        refuse_circle(frame, &unit);
    finish(frame, feature, &unit);
}

void load_features(struct frame *frame)
{
    for (size_t i = 0; i < frame->count; i++) {
        struct frame_name *feature = &frame->names[i];
        if (feature->kind != FRAME_FEATURE || feature->state != FRAME_WAITING)
            continue;
        begin(frame, feature);
        while (frame->depth > 0)
            compile_last(frame);
    }
}
