#include "processor/offline/generator_queue.h"

#include "base/ensure.h"
#include "base/memory.h"

void generator_queue_init(struct generator_queue *queue)
{
    *queue = (struct generator_queue){ .items = NULL };
}

void generator_queue_fini(struct generator_queue *queue)
{
    mem_free(queue->items);
    generator_queue_init(queue);
}

static bool before(const struct payment *a, const struct payment *b)
{
    if (a->arrival_us != b->arrival_us)
        return a->arrival_us < b->arrival_us;
    return a->arrival_order < b->arrival_order;
}

void generator_queue_put(struct generator_queue *queue, const struct payment *payment)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity == 0 ? 64 : queue->capacity * 2;
        queue->items = mem_resize_array(queue->items, queue->capacity, sizeof *queue->items);
    }
    size_t i = queue->count++;
    while (i > 0 && before(payment, &queue->items[(i - 1) / 2])) {
        queue->items[i] = queue->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    queue->items[i] = *payment;
}

const struct payment *generator_queue_first(const struct generator_queue *queue)
{
    return queue->count == 0 ? NULL : &queue->items[0];
}

struct payment generator_queue_take(struct generator_queue *queue)
{
    ENSURE(queue->count > 0);
    const struct payment first = queue->items[0];
    const struct payment last = queue->items[--queue->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= queue->count)
            break;
        if (child + 1 < queue->count && before(&queue->items[child + 1], &queue->items[child]))
            child++;
        if (!before(&queue->items[child], &last))
            break;
        queue->items[i] = queue->items[child];
        i = child;
    }
    if (queue->count > 0)
        queue->items[i] = last;
    return first;
}
