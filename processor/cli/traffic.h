/*
 * traffic: the generator's events and tables into the topics of a topology, for `weir generate` and
 * `weir demo`. Finds out which stream takes payments and which tables hold users and merchants by
 * what their schemas name. One thread.
 */
#ifndef WEIR_PROCESSOR_CLI_TRAFFIC_H
#define WEIR_PROCESSOR_CLI_TRAFFIC_H

#include "base/error.h"
#include "processor/kafka/kafka_writer.h"
#include "processor/offline/generator.h"
#include "processor/topology/plan.h"
#include "schemas/registry.h"

struct traffic;

struct traffic_options {
    const struct plan *plan;                /* borrowed */
    const struct kafka_port_options *kafka; /* where; its topics are not looked at */
    struct registry *registry;              /* borrowed during open; NULL when nothing is Avro */
    enum kafka_placement placement;
    bool keyless; /* records without keys, in any partition */
};

/* Registers the schemas, so that readers find them. */
MUST_CHECK enum status traffic_open(struct traffic **out, const struct traffic_options *options,
                                    struct error *err);
void traffic_close(struct traffic **traffic);

/* What the generator's poison has to fit. */
enum generator_encoding traffic_encoding(const struct traffic *traffic);
/* All rows of users and merchants; returns when they are acknowledged. */
MUST_CHECK enum status traffic_write_tables(struct traffic *traffic, struct generator *generator,
                                            struct error *err);
MUST_CHECK enum status traffic_write(struct traffic *traffic, const struct generator_event *event,
                                     struct error *err);
/* Waits until everything is acknowledged. */
MUST_CHECK enum status traffic_flush(struct traffic *traffic, struct error *err);
/* How many records were acknowledged, those of tables too. */
uint64_t traffic_delivered(const struct traffic *traffic);

/* The stream that takes payments, or ST_INVALID. */
MUST_CHECK enum status traffic_find_stream(const struct plan_stream **out, const struct plan *plan,
                                           struct error *err);

#endif
