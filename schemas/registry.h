/*
 * registry: schema ids to schema texts and back. A small port with two implementations: a
 * Confluent-compatible server over HTTP, and a directory of files `<id>-<subject>.avsc`.
 *
 * Thread-safe: workers share one. Known ids never leave memory (and the disk cache, so that a
 * restart needs no server). Lookups of an unknown id never block the caller: the first call starts
 * a fetch on the registry's own thread and answers ST_REGISTRY_DOWN ("not yet") until the answer is
 * in; an id that the server does not know is ST_UNKNOWN_SCHEMA, remembered for `negative_ms`.
 */
#ifndef WEIR_SCHEMAS_REGISTRY_H
#define WEIR_SCHEMAS_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "schemas/schema.h"

struct registry;

struct registry_http_options {
    const char *const *urls; /* tried in order, the last one that worked first */
    size_t url_count;
    const char *user, *password; /* basic auth, or NULL */
    const char *bearer_token;    /* or NULL */
    const char *ca_file;         /* or NULL: the system's */
    const char *client_cert_file, *client_key_file;
    const char *cache_directory; /* ids on disk, or NULL */
    int64_t timeout_ms;          /* of one request; 0: 5000 */
    int64_t negative_ms;         /* 0: 30000 */
};

MUST_CHECK enum status registry_open_http(struct registry **out,
                                          const struct registry_http_options *options,
                                          struct error *err);
/*
 * Reads the directory at once; reads it again (at most once a second) when an unknown id is asked
 * for.
 */
MUST_CHECK enum status registry_open_directory(struct registry **out, const char *directory,
                                               struct error *err);
/*
 * An empty one in memory: ids are given out by registry_register from 1. For the demo, backtests
 * and tests.
 */
void registry_open_memory(struct registry **out);
void registry_close(struct registry **registry);

/* The schema with this id; borrowed until close. Never blocks (see above). */
MUST_CHECK enum status registry_find(struct registry *registry, int32_t id,
                                     const struct schema **out, struct error *err);
/* The same, but waits up to timeout_ms for the answer (start-up, tools). */
MUST_CHECK enum status registry_fetch(struct registry *registry, int32_t id, int64_t timeout_ms,
                                      const struct schema **out, struct error *err);
/* The same for its text as it was registered; borrowed until close. */
MUST_CHECK enum status registry_fetch_text(struct registry *registry, int32_t id,
                                           int64_t timeout_ms, struct bytes *out,
                                           struct error *err);

/*
 * Registers `text` under `subject` (normally "<topic>-value") and gives its id; the same text again
 * gives the same id. Blocks up to timeout_ms. ST_REFUSED with the server's words when it is
 * incompatible or not allowed. On a directory: finds the same text or adds a file with the next
 * free id.
 */
MUST_CHECK enum status registry_register(struct registry *registry, const char *subject,
                                         struct bytes text, int64_t timeout_ms, int32_t *id,
                                         struct error *err);

/* For metrics and the readiness probe. */
struct registry_health {
    int64_t schemas_known;
    int64_t fetches, failures;
    int64_t waiting; /* ids asked for and not answered yet */
    char last_error[160];
};
void registry_health(struct registry *registry, struct registry_health *out);

#endif
