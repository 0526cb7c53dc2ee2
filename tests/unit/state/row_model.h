/*
 * row_model: the naive oracle of everything that keeps rows: a fixed, sorted list of keys and a
 * value (a version; 0: absent) for each. Keys share prefixes, some are prefixes of others, and they
 * belong to a few stores. A value's bytes and size follow from its version.
 */
#ifndef WEIR_TESTS_STATE_ROW_MODEL_H
#define WEIR_TESTS_STATE_ROW_MODEL_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/random.h"

enum { MODEL_KEYS = 120, MODEL_VALUE_MAX = 600 };

struct row_model {
    uint32_t versions[MODEL_KEYS];
};

/* Key number i, ascending; static storage. */
struct bytes model_key(int i);
/* The number of a key, -1 if it is none of them. */
int model_number(struct bytes key);
int model_any_key(struct prng *prng);
/* Any bytes to scan from or to: keys, what lies between them, none. */
struct bytes model_any_limit(struct prng *prng);

/* none for version 0; valid until 4 calls later. */
struct bytes model_value(uint32_t version);
/* The version whose value is that of this one (not 0) and a few bytes more; 0: it has grown too often. */
uint32_t model_grown(uint32_t version);
/* The one that has grown into this one; 0: it has not grown. */
uint32_t model_before_growth(uint32_t version);
/* What has come behind the first `position` bytes. */
struct bytes model_end(uint32_t version, size_t position);

#endif
