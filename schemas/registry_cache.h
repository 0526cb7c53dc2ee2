/*
 * registry_cache: what a schema registry answered, kept on disk as `<id>.avsc`, so that a restart
 * needs no server.
 *
 * Ids of one registry mean nothing at another, and decoding with the wrong schema would go
 * unnoticed: the files lie in a folder of their own per registry (named by a hash of its URLs). A
 * file that is broken is passed over with a warning, and written again when its schema is fetched.
 * Thread-safe after opening.
 */
#ifndef WEIR_SCHEMAS_REGISTRY_CACHE_H
#define WEIR_SCHEMAS_REGISTRY_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "schemas/registry_ids.h"

struct registry_cache;

/* Makes the folder if it is not there. The URLs are looked at only here. */
MUST_CHECK enum status registry_cache_open(struct registry_cache **out, const char *directory,
                                           char *const *urls, size_t url_count, struct error *err);
void registry_cache_close(struct registry_cache **cache);

/* Adds every whole file to `ids`. */
void registry_cache_load(struct registry_cache *cache, struct registry_ids *ids);
/* Failure is a warning: without the file the next start asks the server. */
void registry_cache_save(struct registry_cache *cache, int32_t id, struct bytes text);

#endif
