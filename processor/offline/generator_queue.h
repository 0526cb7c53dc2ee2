/*
 * generator_queue: payments on their way, ordered by when they arrive (equal times: by their
 * number). A binary heap; one thread.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_GENERATOR_QUEUE_H
#define WEIR_PROCESSOR_OFFLINE_GENERATOR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "processor/offline/generator_world.h"

enum { PAYMENT_NO_DEVICE = -1, PAYMENT_NEW_DEVICE = -2 };

struct payment {
    uint64_t number; /* makes the id; a duplicate has the original's */
    uint64_t arrival_order;
    int64_t time_us, arrival_us;
    int64_t amount_cents;
    uint32_t user, merchant, burst;
    uint8_t card; /* from 0 */
    int8_t device; /* from 0, or PAYMENT_... */
    int8_t city; /* whose country the payment is made in */
    uint8_t attack, poison;
    bool has_place, duplicate, ends_burst;
    struct world_place place;
};

struct generator_queue {
    struct payment *items;
    size_t count, capacity;
};

void generator_queue_init(struct generator_queue *queue);
void generator_queue_fini(struct generator_queue *queue);
void generator_queue_put(struct generator_queue *queue, const struct payment *payment);
/* The one that arrives first, or NULL; valid until the next call. */
const struct payment *generator_queue_first(const struct generator_queue *queue);
struct payment generator_queue_take(struct generator_queue *queue);

#endif
