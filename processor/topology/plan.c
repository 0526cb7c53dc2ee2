#include "processor/topology/plan.h"

#include "base/ensure.h"
#include "processor/topology/plan_memory.h"

const char *severity_name(enum severity severity)
{
    static const char *const names[] = { "low", "medium", "high", "critical" };
    ENSURE((size_t)severity < sizeof names / sizeof names[0]);
    return names[severity];
}

void plan_destroy(struct plan **plan)
{
    if (*plan == NULL)
        return;
    struct plan_memory *memory = (*plan)->owner;
    *plan = NULL; /* it lies in its own memory */
    plan_memory_destroy(&memory);
}
