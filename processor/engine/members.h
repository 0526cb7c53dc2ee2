/*
 * members: who is in the group, and what follows from it: which partition has which owner, and who
 * would own it if its owner's process were gone. That one keeps the standby.
 *
 * The group assigns by "range": members in the order of their ids, each a run of neighbouring
 * partitions, the first ones one more when it does not divide. A broker makes the id of a static
 * member from its static id, "-" and something random, so the order is known before anybody joins
 * again. All topics of a task have the same number of partitions, so this says where a task goes.
 *
 * A static id is PROCESS-WORKER. A process dies as a whole, so its standby is in another process.
 *
 * Pure functions of their arguments; any thread. The port belongs to one thread.
 */
#ifndef WEIR_PROCESSOR_ENGINE_MEMBERS_H
#define WEIR_PROCESSOR_ENGINE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

enum { MEMBERS_STANDBYS_MAX = 8, MEMBERS_NOBODY = -1 };

struct member {
    char *id;        /* what the broker sorts by */
    char *static_id; /* NULL: a dynamic member, a process of its own */
};
struct members {
    struct member *items; /* in the order of their ids */
    size_t count;
    bool stable; /* false: the group is just being assigned anew */
};
void members_add(struct members *members, const char *id, const char *static_id);
void members_sort(struct members *members);
void members_fini(struct members *members);

/* The part of a member's id that it shares with the other workers of its process. */
struct bytes members_process(const struct member *member);

/* Index of the member that owns the partition, as "range" assigns; MEMBERS_NOBODY without members. */
int members_owner(const struct members *members, int32_t partition_count, int32_t partition);
/*
 * Index of the member that would own the partition if the processes of its owner and of the
 * standbys before this one (0: the first) were gone; MEMBERS_NOBODY when there is no such process.
 */
int members_standby(const struct members *members, int32_t partition_count, int32_t partition,
                    int number);
/* follows[partition]: is one of its first `standbys` standbys in this process? */
void members_follows(const struct members *members, int32_t partition_count, int standbys,
                     struct bytes process, bool *follows);

/* Asks the cluster. May wait for it, so it is never called on a poll loop. */
struct members_port;
struct members_port_type {
    void (*close)(struct members_port *port);
    /* Sorted; free with members_fini. */
    MUST_CHECK enum status (*read)(struct members_port *port, struct members *out,
                                   struct error *err);
};
struct members_port {
    const struct members_port_type *type;
};

#endif
