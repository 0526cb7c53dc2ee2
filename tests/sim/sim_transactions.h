/*
 * sim_transactions: the transaction coordinator: ids, epochs, what is open and what is decided, and
 * the markers on their way. An answer is what the broker tells the client, not what the client
 * makes of it (sim_producer).
 */
#ifndef WEIR_TESTS_SIM_TRANSACTIONS_H
#define WEIR_TESTS_SIM_TRANSACTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_cluster;

enum sim_answer {
    SIM_OK,
    SIM_CONCURRENT,    /* markers are on their way: ask again */
    SIM_INVALID_EPOCH, /* somebody else has the id, or the coordinator timed the transaction out */
    SIM_INVALID_STATE,
    SIM_NOT_A_MEMBER /* a wrong generation, an unknown member, a fenced instance */
};

enum sim_txn_state { SIM_EMPTY, SIM_ONGOING, SIM_PREPARED, SIM_COMPLETE };

struct sim_txn_partition {
    int topic;
    int32_t partition;
};

struct sim_txn {
    struct sim_cluster *cluster;
    char *id;
    int64_t producer_id;
    int32_t epoch;
    enum sim_txn_state state;
    bool commit; /* what was decided, once prepared */
    bool has_offsets;
    struct sim_txn_partition *partitions;
    size_t count, capacity;
    size_t markers_left;
    int64_t deadline_us;
    bool is_timed; /* a check is planned */
};

struct sim_transactions {
    struct sim_txn **all;
    size_t count, capacity;
    uint64_t committed;
};

void sim_transactions_fini(struct sim_transactions *transactions);
/* The id's, made when it is new. Lives as long as the cluster. */
struct sim_txn *sim_txn_of(struct sim_cluster *cluster, const char *id);

/* InitProducerId: ends what is open (and says CONCURRENT until that is done), then a new epoch. */
enum sim_answer sim_txn_init(struct sim_txn *txn, int32_t *epoch);
enum sim_answer sim_txn_add_partition(struct sim_txn *txn, int32_t epoch, int topic,
                                      int32_t partition);
enum sim_answer sim_txn_add_offsets(struct sim_txn *txn, int32_t epoch);
enum sim_answer sim_txn_end(struct sim_txn *txn, int32_t epoch, bool commit);
/* KIP-890: what a partition asks before a transaction begins in it. topic -1: the offsets. */
enum sim_answer sim_txn_verify(const struct sim_txn *txn, int32_t epoch, int topic,
                               int32_t partition);

#endif
