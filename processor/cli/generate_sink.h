/*
 * generate_sink: where `weir generate` puts its events: the topics of a topology or a file (.jsonl,
 * .csv, .avro). One thread.
 */
#ifndef WEIR_PROCESSOR_CLI_GENERATE_SINK_H
#define WEIR_PROCESSOR_CLI_GENERATE_SINK_H

#include "base/error.h"
#include "processor/cli/traffic.h"
#include "processor/offline/generator.h"

struct generate_sink;

MUST_CHECK enum status generate_sink_open_kafka(struct generate_sink **out,
                                                const struct traffic_options *options,
                                                struct error *err);
/* `format` (json, csv or avro) NULL: what the name ends with. "-" is the standard output. */
MUST_CHECK enum status generate_sink_open_file(struct generate_sink **out, const char *path,
                                               const char *format, struct error *err);
/* What was not finished may be incomplete. */
void generate_sink_close(struct generate_sink **sink);

enum generator_encoding generate_sink_encoding(const struct generate_sink *sink);
/* Nothing in a file. */
MUST_CHECK enum status generate_sink_write_tables(struct generate_sink *sink,
                                                  struct generator *generator, struct error *err);
MUST_CHECK enum status generate_sink_write(struct generate_sink *sink,
                                           const struct generator_event *event, struct error *err);
/* Everything is acknowledged, or on disk. */
MUST_CHECK enum status generate_sink_finish(struct generate_sink *sink, struct error *err);

#endif
