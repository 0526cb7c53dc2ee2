/*
 * config: the runtime settings of a process (weir.yaml, then WEIR_... from the environment): where Kafka and the registry are,
 * where state lives, how much memory, when to commit. The topology says nothing of them.
 *
 * config.def is the one table: key, kind, default, help. The environment's name of a key is WEIR_ and the key in capitals with
 * dots as underscores; a key that ends in `_file` names a file to read a secret from.
 */
#ifndef WEIR_PROCESSOR_CLI_CONFIG_H
#define WEIR_PROCESSOR_CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "processor/engine/worker.h"
#include "schemas/registry.h"

enum { CONFIG_PROPERTIES_MAX = 128, CONFIG_URLS_MAX = 8 };

struct config_property {
    char *name, *value;
};

struct config {
    char *brokers;
    struct config_property properties[CONFIG_PROPERTIES_MAX]; /* kafka.*: librdkafka's, passed through */
    size_t property_count;
    char *registry_url; /* several, separated by commas */
    char *registry_directory;
    char *registry_user, *registry_password, *registry_token, *registry_ca, *registry_cert, *registry_key;
    char *state;
    int64_t memory_bytes;
    int64_t workers;
    int64_t commit_interval_us, checkpoint_interval_us, alert_floor_us;
    char *http;
    char *start;
    char *partitioner;
    char *ordinal;
    char *schemas;
    int64_t session_timeout_us;
    int64_t standbys;
    int64_t keep_local_us;
    int64_t replication;
    bool dev, create_topics;
    char *log_level, *log_format;
};

/* `file` NULL: ./weir.yaml if it is there, else none. */
MUST_CHECK enum status config_load(struct config *out, const char *file, struct error *err);
void config_fini(struct config *config);
/* Every key with its default and help, for --help and the docs. */
void config_describe(struct buffer *out);

MUST_CHECK enum status config_open_registry(const struct config *config, struct registry **out, struct error *err);
MUST_CHECK enum status config_start(const struct config *config, enum start_at *start, int64_t *start_ms,
                                    struct error *err);
MUST_CHECK enum status config_partitioner(const struct config *config, enum partitioner *out, struct error *err);

#endif
