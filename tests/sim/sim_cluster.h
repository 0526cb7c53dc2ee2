/*
 * sim_cluster: a Kafka cluster in memory, in virtual time, from one seed: what the engine's log port
 * (processor/engine/log_port.h) can see of brokers, transaction and group coordinators. Real Kafka is
 * the specification; tests/kafka holds both against the same random sequences of calls.
 *
 * Topics: partitions of batches with transaction markers that arrive late and one by one; high
 * watermark, last stable offset, aborted transactions; compaction; DeleteRecords; append time.
 * Transactions: ids with epochs, InitProducerId that ends what was open, time-outs, requests that are
 * lost, answers that are lost, an EndTxn that arrives after the next transaction began
 * (KAFKA-17754). Groups: generations, static members, eager range, session time-outs, offsets that
 * are pending until their marker is there. Clients: one port per worker, readers of their own.
 *
 * Nothing happens by itself: time passes when somebody sleeps on the clock or polls with nothing to
 * read, and with it what was delayed arrives. One thread. The same seed and the same calls give the
 * same answers.
 */
#ifndef WEIR_TESTS_SIM_CLUSTER_H
#define WEIR_TESTS_SIM_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/random.h"
#include "processor/engine/log_port.h"

enum { SIM_TOPICS_MAX = 24 };

struct sim_topic {
    const char *name;
    int32_t partition_count;
    bool append_time; /* timestamps are the broker's */
};

/* Chances in 10,000 per request of the kind; all 0 = a perfect network. */
struct sim_faults {
    uint32_t request_lost;    /* a transactional request never arrives; the client sees a transport error,
                                 tries again, and is tainted */
    uint32_t response_lost;   /* it arrives, the answer does not; likewise */
    uint32_t end_txn_delayed; /* a copy of EndTxn arrives up to delay_us_max later, whatever goes on then */
    uint32_t end_txn_unknown; /* commit answers ST_TXN_UNKNOWN; the request arrives or not, now or later */
    uint32_t abortable;       /* produce, flush, send_offsets or commit answers ST_TXN_ABORTABLE */
    uint32_t fatal;           /* likewise ST_KAFKA: the producer is dead */
    uint32_t busy;            /* any request answers a status of class RETRY */
    uint32_t duplicate;       /* poll delivers a record again, as a client may after a seek */
    int64_t marker_delay_us_max; /* how late a marker may be */
    int64_t delay_us_max;        /* how late anything else may be */
};

struct sim_options {
    uint64_t seed;
    const struct sim_topic *topics; /* all of the cluster's; a port names its own by name */
    size_t topic_count;
    const char *group;
    int64_t session_timeout_us;     /* 0: 6 s */
    int64_t transaction_timeout_us; /* 0: 30 s */
    struct sim_faults faults;       /* may be changed while it runs: sim_faults() */
};

struct sim_cluster;
void sim_cluster_create(struct sim_cluster **out, const struct sim_options *options);
void sim_cluster_destroy(struct sim_cluster **cluster);
/* The clock that all of it lives by; its sleep lets the cluster's time pass. */
struct clock sim_clock(struct sim_cluster *cluster);
/* Lets time pass: markers, delayed requests, time-outs of sessions and transactions. */
void sim_advance(struct sim_cluster *cluster, int64_t us);
struct sim_faults *sim_faults(struct sim_cluster *cluster);
/* Ends all that is delayed and every fault: nothing is on its way afterwards. */
void sim_heal(struct sim_cluster *cluster);

/* --- clients ---------------------------------------------------------------------------------- */

enum sim_call {
    SIM_POLL, SIM_ASSIGN, SIM_COMMITTED, SIM_PRODUCER_OPEN, SIM_END_FOREIGN, SIM_BEGIN, SIM_PRODUCE,
    SIM_FLUSH, SIM_SEND_OFFSETS, SIM_COMMIT, SIM_ABORT, SIM_DELETE_RECORDS, SIM_READER_POLL,
    SIM_READER_BOUNDS, SIM_LEAVE, SIM_OTHER, SIM_CALL_COUNT
};
enum sim_moment { SIM_BEFORE, SIM_AFTER }; /* of what the call does to the cluster */

/*
 * Called at both moments of every call of a port and of its readers: here a process may be put
 * aside for a while, or die. A status other than ST_OK is what the call answers (BEFORE: without
 * having done anything). A port whose process is dead must answer ST_INTERRUPTED to everything.
 */
typedef enum status sim_hook_fn(void *context, enum sim_call call, enum sim_moment moment);

struct sim_client {
    const char *instance_id;      /* the static member's */
    const char *transactional_id; /* -a and -b are put behind it, as the real port does */
    const char *const *topics;    /* names; a port's topic numbers are indices into this */
    size_t topic_count;
    sim_hook_fn *hook;            /* or NULL */
    void *hook_context;
};
void sim_port_open(struct log_port **out, struct sim_cluster *cluster, const struct sim_client *client);
/* The process behind the port died: its connections are gone, its membership and its open transaction
 * stay until they time out or somebody takes their id. The port still has to be closed. */
void sim_port_kill(struct log_port *port);
/* The process stands still: no heartbeat goes out, so that its session may end. Between calls, or in
 * its hook. Thawed, it hears with its next heartbeat what it missed. */
void sim_port_freeze(struct log_port *port, bool frozen);
/* An old join of this static member comes late: the group gives its place to a member that is nobody. Only between
 * rebalances; nothing otherwise. */
void sim_port_displace(struct log_port *port);

/* --- what a test does to the cluster, and sees of it ------------------------------------------ */

/* Without a transaction. Returns the offset. timestamp_ms -1: now. */
int64_t sim_append(struct sim_cluster *cluster, int topic, int32_t partition, int64_t timestamp_ms,
                   struct bytes key, struct bytes value);
/* Keeps the newest committed value of each key below a random offset <= LSO; with `tombstones`, removes deletes too. */
void sim_compact(struct sim_cluster *cluster, int topic, int32_t partition, bool tombstones);
void sim_delete_records(struct sim_cluster *cluster, int topic, int32_t partition, int64_t before);
void sim_recreate_topic(struct sim_cluster *cluster, int topic);
void sim_forget_offsets(struct sim_cluster *cluster);
/* Nothing is in it any more, and it begins at 0 again; the group's offsets stay. */
void sim_empty_partition(struct sim_cluster *cluster, int topic, int32_t partition);
/* As a tool sets it, or a coordinator that lost records; -1: there is none. */
void sim_set_committed(struct sim_cluster *cluster, int topic, int32_t partition, int64_t offset,
                       struct bytes metadata);
/* A rebalance without a reason. */
void sim_rebalance(struct sim_cluster *cluster);

struct sim_bounds {
    int64_t start, last_stable, high_watermark;
};
struct sim_bounds sim_bounds(const struct sim_cluster *cluster, int topic, int32_t partition);
/* Every record that a read_committed reader gets now, in order. Markers are no records. */
typedef void sim_record_fn(void *context, const struct log_record *record, const struct log_header *headers,
                           size_t header_count);
void sim_read(const struct sim_cluster *cluster, int topic, int32_t partition, sim_record_fn *each,
              void *context);
/* The committed offset, -1 when there is none, and its metadata (valid until the next call). Ignores what is pending. */
int64_t sim_committed(const struct sim_cluster *cluster, int topic, int32_t partition,
                      struct bytes *metadata);
uint64_t sim_transactions_committed(const struct sim_cluster *cluster);

#endif
