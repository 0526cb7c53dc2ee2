/*
 * Any bytes as a topology file: it loads, or it has errors with places inside the text; never
 * anything else. A file that loads is described, and its state fits itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/embedded.h"
#include "base/ensure.h"
#include "base/memory.h"
#include "processor/topology/topology.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses a buffer when it gives up after a quoted text with many quotes in it. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml\n";
}

static bool find_schema(void *context, const char *name, struct bytes *content)
{
    (void)context;
    AUTO(mem_auto_free) char *path = mem_format("schemas/%s", name);
    const struct embedded_file *file = embedded_find(path);
    if (file == NULL)
        return false;
    *content = bytes_of(file->data, file->size);
    return true;
}

static void check_plan(const struct plan *plan)
{
    struct buffer signature, text;
    struct error err = { 0 };
    buffer_init(&signature);
    buffer_init(&text);
    plan_describe(plan, false, &text);
    plan_describe(plan, true, &text);
    buffer_clear(&text);
    plan_state_signature(plan, &signature);
    ENSURE(plan_check_state_change(plan, buffer_view(&signature), &text, &err) == ST_OK);
    ENSURE(text.size == 0);
    buffer_fini(&signature);
    buffer_fini(&text);
}

static void check_diagnostics(const struct diagnostics *diagnostics, size_t size)
{
    ENSURE(diagnostics->count <= DIAGNOSTICS_MAX);
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *item = &diagnostics->items[i];
        ENSURE(item->line >= 1 && (size_t)item->line <= size + 1);
        ENSURE(item->column >= 1 && (size_t)item->column <= size + 1);
        ENSURE(item->text[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct topology_options options = { .find_embedded = find_schema };
    struct diagnostics diagnostics;
    struct plan *plan = NULL;
    struct error err = { 0 };
    diagnostics_init(&diagnostics, "fuzz.yaml");
    const enum status status =
        topology_load_text(&plan, "fuzz.yaml", bytes_of(data, size), &options, &diagnostics, &err);
    ENSURE((status == ST_OK) == (plan != NULL));
    ENSURE(status == ST_OK || (status == ST_INVALID && diagnostics.errors > 0));
    check_diagnostics(&diagnostics, size);
    if (plan != NULL)
        check_plan(plan);
    plan_destroy(&plan);
    diagnostics_fini(&diagnostics);
    return 0;
}
