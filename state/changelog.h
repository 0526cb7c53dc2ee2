/*
 * changelog: the compacted topic's records, and the store's position record, which shares the
 * identity.
 *
 * A row is a record: its key is the row's key, its value the row's value, null for a deleted row.
 * Keys that start with 0x00 are the changelog's own:
 *     00 'I'  identity: the first record of a changelog, again at the end of every checkpoint
 *     00 'E'  end mark: varint checkpoint number | varint seq
 *
 * An identity:
 *     varint format version | BE64 incarnation | varint partition | varint partition count
 *     | run cluster id | run group
 * The position record of a store:
 *     identity | varint seq | BE64 nonce
 * To change any of them: raise STATE_FORMAT_VERSION, read both.
 */
#ifndef WEIR_STATE_CHANGELOG_H
#define WEIR_STATE_CHANGELOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"

enum { STATE_FORMAT_VERSION = 2 };

/* What must match before local state or a changelog may be used. */
struct state_identity {
    uint32_t format_version;
    uint64_t incarnation;
    int32_t partition;
    int32_t partition_count;
    char cluster_id[64];
    char group[192];
};

struct changelog_end {
    uint64_t number;
    uint64_t seq;
};

/* Unknown: an own record of a later version, or no key at all. */
enum changelog_kind { CHANGELOG_ROW, CHANGELOG_IDENTITY, CHANGELOG_END, CHANGELOG_UNKNOWN };
enum changelog_kind changelog_kind_of(struct bytes key);

/* Reading gives ST_CORRUPT for what was not written here, ST_FORMAT_NEWER for a later version's. */
struct bytes changelog_identity_key(void);
void changelog_identity_write(struct buffer *out, const struct state_identity *identity);
MUST_CHECK enum status changelog_identity_read(struct state_identity *out, struct bytes value,
                                               struct error *err);
struct bytes changelog_end_key(void);
void changelog_end_write(struct buffer *out, const struct changelog_end *end);
MUST_CHECK enum status changelog_end_read(struct changelog_end *out, struct bytes value,
                                          struct error *err);

/* The store's position record: identity, and the seq and nonce up to which the store's rows are
 * complete. */
struct store_position {
    struct state_identity identity;
    uint64_t seq;
    uint64_t nonce;
};
void store_position_write(struct buffer *out, const struct store_position *position);
MUST_CHECK enum status store_position_read(struct store_position *out, struct bytes record,
                                           struct error *err);

/* ST_REFUSED, with the way out, when `found` cannot be used where `wanted` is expected;
 * ST_FORMAT_NEWER when a later version wrote it. An older format can be used. */
MUST_CHECK enum status state_identity_check(const struct state_identity *wanted,
                                            const struct state_identity *found, struct error *err);

#endif
