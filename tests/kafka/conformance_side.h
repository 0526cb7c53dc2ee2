/*
 * conformance_side: the log port twice, on a real broker and on the simulated cluster, with the
 * same three clients, and what one call after the other shows of it, as text that can be compared:
 * the statuses, the records that are delivered, the offsets counted from where the sequence began.
 *
 * Clients `a` and `b` have ids of their own; `c` has the same transactional id as `a`.
 */
#ifndef WEIR_TESTS_KAFKA_CONFORMANCE_SIDE_H
#define WEIR_TESTS_KAFKA_CONFORMANCE_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "port_world.h"
#include "tests/sim/sim_cluster.h"

enum { CLIENTS = 3, PLACES = 2, TEXT_SIZE = 8192 };

struct text {
    size_t size;
    char data[TEXT_SIZE];
};
__attribute__((format(printf, 2, 3))) void text_add(struct text *text, const char *format, ...);

struct side {
    struct world *world;         /* the real one's; NULL: the simulated one */
    struct sim_cluster *cluster; /* the other way round */
    struct log_port *clients[CLIENTS];
    struct log_reader *reader;
    int64_t base[PLACES]; /* of the output's partitions: where the sequence began */
};

/* The world lends the names to both. */
void side_open(struct side *side, struct world *real, const struct world *names);
void side_close(struct side *side);
/* Without the clients, for those who bring their own. */
void side_open_bare(struct side *side, struct world *real, const struct world *names,
                    int session_ms);
void side_close_bare(struct side *side);
int64_t side_now_ms(const struct side *side);
bool side_is_real(const struct side *side);
/* instance NULL: a dynamic member. */
struct log_port *side_port(const struct side *side, const struct world *names, const char *instance,
                           const char *id, int session_ms);
/* Lets what is on its way arrive: on the simulated side that is enough for everything. */
void side_settle(struct side *side);
/*
 * Where a sequence begins: nothing is open, offset 0 is committed for two partitions of the input, `a`
 * and `b` can commit; of `c` nothing is known but that it is the same on both sides. `afresh`: with
 * new producers.
 */
void side_begin(struct side *side, bool afresh);

/* Reads the output's first partitions from these offsets (counted from the base) to their ends, by
 * the client, or with -1 by a reader. `patience_ms`: how long an end is waited for. */
void side_read(struct side *side, int client, const int64_t offsets[PLACES], int64_t patience_ms,
               struct text *out);
void side_bounds(struct side *side, struct text *out);
/* The offsets of the first partitions of the input, or the status. */
void side_committed(struct side *side, int client, bool stable, int64_t timeout_ms,
                    struct text *out);

#endif
