/*
 * log_port: everything that a worker asks of Kafka. librdkafka stands behind it in production (processor/kafka), a
 * simulated cluster in tests. The commit protocol is written once, against this port.
 *
 * One port belongs to one worker: one consumer (static member, eager range, read_committed) and one transactional
 * producer. One thread uses it; readers (struct log_reader) are separate and each belongs to the thread that made it.
 *
 * Topics are numbers: the caller names all of them once in log_port_options, `topic` below is an index into that list.
 *
 * Status classes: RETRY = call again with the same arguments; ABORT: see the transaction calls; FATAL = stop.
 */
#ifndef WEIR_PROCESSOR_ENGINE_LOG_PORT_H
#define WEIR_PROCESSOR_ENGINE_LOG_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

enum { LOG_HEADERS_MAX = 6, LOG_METADATA_SIZE_MAX = 4096, LOG_PRODUCERS = 2 };

struct log_partition {
    int topic;
    int32_t partition;
};

/* offset: the next record to read. -1 stands for "no offset was ever committed". */
struct log_position {
    int topic;
    int32_t partition;
    int64_t offset;
    struct bytes metadata; /* none when there is none; see the call for how long it is valid */
};

enum log_record_kind {
    LOG_RECORD_DATA,
    LOG_RECORD_EOF,         /* everything readable (up to the last stable offset) was delivered; offset = where it ends */
    LOG_RECORD_OUT_OF_RANGE /* the position lies outside the partition; it stays silent until assigned again */
};

struct log_header {
    const char *name;
    struct bytes value;
};

struct log_record {
    enum log_record_kind kind;
    int topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1: none */
    bool append_time;     /* the timestamp is the broker's */
    struct bytes key, value;
    void *handle; /* the port's; give the record back with release */
};

enum log_event_kind {
    LOG_EVENT_NONE,
    LOG_EVENT_ASSIGNED, /* these partitions are ours from now on; nothing is read until assign() */
    LOG_EVENT_REVOKED,  /* commit if you want to, then call assign() with nothing */
    LOG_EVENT_LOST      /* they are gone already: a commit will fail; call assign() with nothing */
};

struct log_batch {
    struct log_record *records; /* the port's array, valid until the next poll; records live until released */
    size_t count;
    enum log_event_kind event; /* happened after the records */
    const struct log_partition *partitions;
    size_t partition_count;
};

struct log_produce {
    int topic;
    int32_t partition; /* -1: by the key, murmur2 (as Java clients place it); without a key any */
    struct bytes key, value;
    const struct log_header *headers;
    size_t header_count;
};

struct log_reader;
struct log_reader_type {
    void (*close)(struct log_reader *reader);
    /* Reads on from these positions; replaces what was assigned. offset -2: from the beginning. */
    MUST_CHECK enum status (*assign)(struct log_reader *reader, const struct log_position *positions, size_t count,
                                     struct error *err);
    MUST_CHECK enum status (*poll)(struct log_reader *reader, int64_t timeout_us, struct log_batch *out,
                                   struct error *err);
    void (*release)(struct log_reader *reader, const struct log_record *records, size_t count);
    /* First offset and the end: the last stable offset, or with `high_watermark` the end including what is not
     * committed yet. */
    MUST_CHECK enum status (*bounds)(struct log_reader *reader, struct log_partition partition, bool high_watermark,
                                     int64_t *low, int64_t *high, struct error *err);
    /* The first offset whose record's timestamp is >= the time; the end when there is none. */
    MUST_CHECK enum status (*offset_at)(struct log_reader *reader, struct log_partition partition, int64_t timestamp_ms,
                                        int64_t *offset, struct error *err);
};
struct log_reader {
    const struct log_reader_type *type;
};

struct log_port;
struct log_port_type {
    void (*close)(struct log_port *port);

    /* --- facts ------------------------------------------------------------------------------------------ */
    /* Valid until close. */
    MUST_CHECK enum status (*cluster_id)(struct log_port *port, const char **out, struct error *err);
    /* 0 partitions: the topic does not exist. */
    MUST_CHECK enum status (*partition_count)(struct log_port *port, int topic, int32_t *out, struct error *err);

    /* --- group membership and reading -------------------------------------------------------------------- */
    MUST_CHECK enum status (*subscribe)(struct log_port *port, const int *topics, size_t count, struct error *err);
    /* What to read, and from where: all ready partitions each time; answers an event. Everything fetched but not handed out yet is
     * dropped. No positions: nothing is read. */
    MUST_CHECK enum status (*assign)(struct log_port *port, const struct log_position *positions, size_t count,
                                     struct error *err);
    /* timeout 0: what is there. Also serves callbacks and keeps the membership alive. ST_FENCED: the group says that another
     * member has our static id; nothing but rejoin, leave and close may follow on the reading side. */
    MUST_CHECK enum status (*poll)(struct log_port *port, int64_t timeout_us, struct log_batch *out,
                                   struct error *err);
    void (*release)(struct log_port *port, const struct log_record *records, size_t count);
    /* A membership of its own in place of the old one, with the same static id: as after opening the port, subscribe is next.
     * Every record must have been released. */
    MUST_CHECK enum status (*rejoin)(struct log_port *port, struct error *err);

    /* Committed offsets and metadata, stable: ST_UNSTABLE_OFFSETS while a transaction on them is open or undecided
     * (never an old value, never "none" by mistake). Fills offset and metadata (valid until the next call of this function). */
    MUST_CHECK enum status (*committed)(struct log_port *port, struct log_position *positions, size_t count,
                                        int64_t timeout_us, struct error *err);
    /* The same without stability: may be old. Only for finding the last owner's ids. */
    MUST_CHECK enum status (*committed_unstable)(struct log_port *port, struct log_position *positions, size_t count,
                                                 int64_t timeout_us, struct error *err);

    /* --- the transactional producer ----------------------------------------------------------------------- */
    /*
     * LOG_PRODUCERS of them, each with an id of its own, take turns: after a commit or an abort begin goes to the next one. A commit is answered before
     * its markers are written, and until then the broker refuses the same producer's next transaction, for which the client
     * waits 20 ms; the other one has none pending. What a transaction wrote lies behind all of the last one's, because it
     * begins only after the last one was answered.
     */
    /* Our transactional ids, valid until close; `n` counts from 0. */
    const char *(*producer_id)(struct log_port *port, size_t n);
    /* New producers with our ids: end whatever our ids left open (abort it; a commit that was decided is finished). Also the
     * answer to every indefinite error. Purges and destroys the producers that were there. */
    MUST_CHECK enum status (*producer_open)(struct log_port *port, struct error *err);
    /* Initialises somebody else's id once and lets it go: ends what he left open. */
    MUST_CHECK enum status (*producer_end_foreign)(struct log_port *port, const char *transactional_id,
                                                   struct error *err);
    MUST_CHECK enum status (*begin)(struct log_port *port, struct error *err);
    /* Copies. A full queue is waited for. */
    MUST_CHECK enum status (*produce)(struct log_port *port, const struct log_produce *record, struct error *err);
    /* Waits until everything produced in this transaction is acknowledged. */
    MUST_CHECK enum status (*flush)(struct log_port *port, struct error *err);
    /* After flush: the smallest offset that this transaction's records got in the partition, -1 when unknown. */
    int64_t (*produced_offset)(struct log_port *port, int topic, int32_t partition);
    /* With fresh group metadata; a generation < 0 is ST_REASSIGNED. At least one position; metadata above the limit is
     * ST_INVALID. Before flush or after it: what was produced meanwhile is on its way at the same time. */
    MUST_CHECK enum status (*send_offsets)(struct log_port *port, const struct log_position *positions, size_t count,
                                           struct error *err);
    /*
     * begin .. commit may answer
     *   ST_TXN_ABORTABLE, ST_REASSIGNED  call abort, then rewind
     *   ST_TXN_UNKNOWN, ST_FENCED, ST_KAFKA  the outcome is unknown or the producer is dead: producer_open, then
     *                                        look at the committed offsets
     *   class SKIP                       (produce, flush, send_offsets before flush) a record is refused, and would be
     *                                    again: call abort, then rewind
     *   class RETRY                      the same call again
     */
    MUST_CHECK enum status (*commit)(struct log_port *port, struct error *err);
    MUST_CHECK enum status (*abort)(struct log_port *port, struct error *err);
    /* A transport error hit a request of a transaction since producer_open: the next begin must be a new
     * producer's (a delayed EndTxn could hit the wrong transaction, KAFKA-17754). */
    bool (*tainted)(struct log_port *port);

    /* --- the rest ------------------------------------------------------------------------------------------ */
    /* Deletes records before the offsets; asynchronous, failures are logged and forgotten (it is only trimming). */
    void (*delete_records)(struct log_port *port, const struct log_position *positions, size_t count);
    /* A reader of its own, for another thread; it knows the same topics. It holds about bytes_ahead of what was not
     * polled yet; less than what comes while its thread is busy costs time. */
    MUST_CHECK enum status (*reader_open)(struct log_port *port, uint64_t bytes_ahead, struct log_reader **out,
                                          struct error *err);
    /* Leaves the group cleanly for good (dynamic membership) or keeps the place (static); after the last commit. */
    void (*leave)(struct log_port *port);
};
struct log_port {
    const struct log_port_type *type;
};

#endif
