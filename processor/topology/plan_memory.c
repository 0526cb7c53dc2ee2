#include "processor/topology/plan_memory.h"

#include "base/ensure.h"
#include "base/memory.h"

enum { ARENA_BLOCK_BYTES = 32 << 10 };

/* One list per kind, newest first; its nodes lie in the arena. */
struct kept {
    void *object;
    struct kept *next;
};

struct plan_memory {
    struct arena *arena;
    struct kept *expressions, *templates, *documents;
};

void plan_memory_create(struct plan_memory **out)
{
    ENSURE(*out == NULL);
    struct plan_memory *memory = mem_alloc(sizeof *memory);
    arena_create(&memory->arena, ARENA_BLOCK_BYTES);
    *out = memory;
}

void plan_memory_destroy(struct plan_memory **memory)
{
    if (*memory == NULL)
        return;
    for (struct kept *kept = (*memory)->expressions; kept != NULL; kept = kept->next) {
        struct expression *expression = kept->object;
        expression_destroy(&expression);
    }
    for (struct kept *kept = (*memory)->templates; kept != NULL; kept = kept->next) {
        struct template *template = kept->object;
        template_destroy(&template);
    }
    for (struct kept *kept = (*memory)->documents; kept != NULL; kept = kept->next) {
        struct schema_document *document = kept->object;
        schema_document_destroy(&document);
    }
    arena_destroy(&(*memory)->arena);
    mem_free(TAKE(*memory));
}

struct arena *plan_memory_arena(struct plan_memory *memory)
{
    return memory->arena;
}

static void *keep(struct plan_memory *memory, struct kept **list, void *object)
{
    struct kept *kept = arena_alloc(memory->arena, sizeof *kept);
    *kept = (struct kept){ .object = object, .next = *list };
    *list = kept;
    return object;
}

struct expression *plan_memory_keep_expression(struct plan_memory *memory,
                                               struct expression **expression)
{
    return keep(memory, &memory->expressions, TAKE(*expression));
}

struct template *plan_memory_keep_template(struct plan_memory *memory, struct template **template)
{
    return keep(memory, &memory->templates, TAKE(*template));
}

struct schema_document *plan_memory_keep_document(struct plan_memory *memory,
                                                  struct schema_document **document)
{
    return keep(memory, &memory->documents, TAKE(*document));
}
