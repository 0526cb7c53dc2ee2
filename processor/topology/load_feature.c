#include "processor/topology/load_feature.h"

#include "processor/topology/program.h"
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

static void compile_feature(struct frame *frame, struct frame_name *feature)
{
    struct unit unit = { .kind = UNIT_EVENT,
                         .loader = frame->loader,
                         .frame = frame,
                         .replayed = !frame->stream->late_own_time };
    struct program program;
    if (program_compile(frame->loader, &program, feature->key, feature->value, &unit)) {
        feature->program = program.expression;
        feature->text = program.text;
        feature->type = expression_type(program.expression);
        feature->sensitive = unit.sensitive;
    }
    feature->poisoned = unit.poisoned;
    feature->diagnostic = unit.diagnostic;
    program_fini(&program);
}

/* "a -> b -> a" */
static void refuse_circle(struct frame *frame, const struct frame_name *feature,
                          struct unit *reader)
{
    struct buffer circle;
    buffer_init(&circle);
    bool inside = false;
    for (size_t i = 0; i < frame->depth; i++) {
        inside |= frame->compiling[i] == feature;
        if (inside)
            buffer_printf(&circle, "%s -> ", frame->compiling[i]->name);
    }
    buffer_put_string(&circle, feature->name);
    const struct frame_name *last = frame->compiling[frame->depth - 1];
    program_refuse(frame->loader, reader, last->value, "features cannot need each other: %s",
                   buffer_text(&circle));
    buffer_fini(&circle);
}

void load_feature(struct frame *frame, struct frame_name *feature, struct unit *reader)
{
    if (feature->state == FRAME_READY || (reader != NULL && reader->poisoned))
        return;
    if (feature->state == FRAME_COMPILING) {
        refuse_circle(frame, feature, reader);
        return;
    }
    if (frame->depth == FRAME_DEPENDENCY_MAX) {
        program_refuse(frame->loader, reader, frame->compiling[frame->depth - 1]->value,
                       "more than %d features build on each other: write some of them out",
                       FRAME_DEPENDENCY_MAX);
        return;
    }
    feature->state = FRAME_COMPILING;
    frame->compiling[frame->depth++] = feature;
    compile_feature(frame, feature);
    frame->depth--;
    feature->state = FRAME_READY;
    feature->slot = frame->feature_base + (int)frame->features_ready++;
}

void load_features(struct frame *frame)
{
    for (size_t i = 0; i < frame->count; i++)
        if (frame->names[i].kind == FRAME_FEATURE)
            load_feature(frame, &frame->names[i], NULL);
}
