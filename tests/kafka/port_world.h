/*
 * port_world: what the cases of the port's conformance test share: a broker, topics of their own,
 * ports and readers on them. Any failure ends the process.
 */
#ifndef WEIR_TESTS_KAFKA_PORT_WORLD_H
#define WEIR_TESTS_KAFKA_PORT_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "processor/kafka/kafka_admin.h"
#include "processor/kafka/kafka_port.h"

#define CHECK(condition, ...)                                      \
    do {                                                           \
        if (!(condition)) {                                        \
            printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            printf(__VA_ARGS__);                                   \
            printf("\n");                                          \
            exit(1);                                               \
        }                                                          \
    } while (0)
#define MUST_BE(expected, call)                                                                 \
    do {                                                                                        \
        const enum status st_ = (call);                                                         \
        CHECK(st_ == (expected), "%s: %s", status_name(st_), st_ == ST_OK ? "" : failure.text); \
    } while (0)
#define MUST(call) MUST_BE(ST_OK, call)

/* What the calls are given for their last failure. */
extern struct error failure;

enum { TOPIC_IN, TOPIC_OUT, TOPIC_TAIL, TOPIC_MISSING, TOPIC_COUNT, PARTITIONS = 4 };

struct world {
    const char *brokers;
    char names[TOPIC_COUNT][64];
    const char *topics[TOPIC_COUNT];
    char group[64];
    struct kafka_admin *admin;
};

/* Topics named after the case and the moment, so that a broker can be used again and again. */
void world_open(struct world *world, const char *brokers, const char *name);
void world_close(struct world *world);

struct port_setup {
    const char *instance;         /* NULL: dynamic */
    const char *transactional_id; /* the group's name is put in front */
    struct kafka_properties consumer, producer;
};
struct kafka_port_options world_options(const struct world *world, const struct port_setup *setup,
                                        char id[128]);
struct log_port *world_port(const struct world *world, const struct port_setup *setup);
struct log_reader *world_reader(const struct world *world);

int64_t world_ms(void);

/* Commits `count` records "N" (N counts up from `first`) to one partition, in one transaction, and
   waits until they can be read. */
void world_load(const struct world *world, int topic, int32_t partition, int first, int count);

/* Polls until the event comes, giving back every record; fails after 30 s. The partitions stay valid
   until the next poll. */
struct log_batch port_wait_event(struct log_port *port, enum log_event_kind kind);
/* Subscribes to the input and waits for its partitions. */
void port_join(struct log_port *port, size_t partitions);
/* Reads all of these partitions from an offset. */
void port_read_from(struct log_port *port, int topic, int32_t first, int32_t count, int64_t offset);
/* Polls once; records are counted and given back. */
size_t port_drain(struct log_port *port, int64_t timeout_us);

/* Reads a partition from `offset` to its end; returns how many records; the last value is kept. */
size_t reader_count(struct log_reader *reader, int topic, int32_t partition, int64_t offset,
                    char last[64]);

/* A transaction that does everything: one record to the output, offset `position` of partition 0. */
void port_transaction(struct log_port *port, int64_t position, const char *metadata);
/* The same up to send_offsets. */
void port_open_transaction(struct log_port *port, int64_t position, const char *metadata);
/* The committed offset of the input's partition 0. */
int64_t port_committed(struct log_port *port);

typedef void case_fn(struct world *world);
struct conformance_case {
    const char *name;
    case_fn *run;
};
/* Each ends with a row of NULL. */
extern const struct conformance_case cases_transactions[], cases_reading[], cases_membership[],
    cases_admin[], cases_proxy[];

#endif
