#include "schemas/avro_emit.h"

#include "base/memory.h"

enum { SCRATCH_BLOCK_BYTES = 4096 };

void avro_compiler_init(struct avro_compiler *compiler, struct avro_program *program)
{
    *compiler = (struct avro_compiler){ .program = program, .place = "" };
    avro_resolution_create(&compiler->resolution);
    map_create(&compiler->inlined, 0);
    map_create(&compiler->subprograms, sizeof(uint32_t));
    arena_create(&compiler->scratch, SCRATCH_BLOCK_BYTES);
}

void avro_compiler_fini(struct avro_compiler *compiler)
{
    arena_destroy(&compiler->scratch);
    mem_free(compiler->list);
    map_destroy(&compiler->subprograms);
    map_destroy(&compiler->inlined);
    avro_resolution_destroy(&compiler->resolution);
}

void *avro_list_grown(void *list, size_t count, size_t *capacity, size_t more, size_t item_size)
{
    if (count + more <= *capacity)
        return list;
    *capacity = 2 * *capacity + more + 8;
    return mem_resize_array(list, *capacity, item_size);
}

void avro_emit(struct avro_compiler *compiler, struct avro_step step)
{
    struct avro_program *program = compiler->program;
    if (program->step_count == AVRO_STEPS_MAX) {
        compiler->too_large = true; /* the program will not be used */
        return;
    }
    if (program->step_count == compiler->step_capacity) {
        size_t capacity = compiler->step_capacity;
        program->places = avro_list_grown(program->places, program->step_count, &capacity, 1,
                                          sizeof *program->places);
        program->steps = avro_list_grown(program->steps, program->step_count,
                                         &compiler->step_capacity, 1, sizeof *program->steps);
    }
    program->places[program->step_count] = compiler->place;
    program->steps[program->step_count++] = step;
}

uint32_t avro_emit_here(const struct avro_compiler *compiler)
{
    return (uint32_t)compiler->program->step_count;
}

uint32_t avro_emit_label(struct avro_compiler *compiler)
{
    compiler->label = avro_emit_here(compiler);
    return avro_emit_here(compiler);
}

/* Emits a jump whose target comes later; see avro_emit_land(). */
uint32_t avro_emit_jump(struct avro_compiler *compiler, struct avro_step step)
{
    const uint32_t index = avro_emit_here(compiler);
    avro_emit(compiler, step);
    return index;
}

void avro_emit_land(struct avro_compiler *compiler, uint32_t jump)
{
    const uint32_t target = avro_emit_label(compiler);
    if (!compiler->too_large)
        compiler->program->steps[jump].target = target;
}

void avro_emit_set(struct avro_compiler *compiler, uint32_t slot, struct value value)
{
    struct avro_program *program = compiler->program;
    program->constants =
        avro_list_grown(program->constants, program->constant_count, &compiler->constant_capacity,
                        1, sizeof *program->constants);
    avro_emit(compiler, (struct avro_step){ .op = STEP_SET,
                                            .slot = slot,
                                            .size = (uint32_t)program->constant_count });
    program->constants[program->constant_count++] = value;
}

uint32_t avro_emit_branches(struct avro_compiler *compiler, const struct schema *node)
{
    struct avro_program *program = compiler->program;
    const uint32_t first = (uint32_t)program->target_count;
    program->targets =
        avro_list_grown(program->targets, program->target_count, &compiler->target_capacity,
                        node->count, sizeof *program->targets);
    program->target_count += node->count;
    avro_emit(compiler, (struct avro_step){
                            .op = STEP_UNION, .size = (uint32_t)node->count, .target = first });
    return first;
}

bool avro_union_is_option(const struct schema *node, uint8_t *null_branch)
{
    if (node->count != 2)
        return false;
    *null_branch = node->branches[1]->kind == SCHEMA_NULL;
    return node->branches[*null_branch]->kind == SCHEMA_NULL;
}
