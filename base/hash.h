/*
 * hash: the hash functions that have a meaning outside the process, and one for tables inside it.
 * All are the same on every machine.
 */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stdint.h>

#include "base/bytes.h"

struct hash128 {
    uint64_t high;
    uint64_t low;
};

uint64_t hash64(struct bytes b);        /* XXH3, seed 0 */
struct hash128 hash128(struct bytes b); /* XXH3 128, seed 0 */
/* 32 lower-case hex digits and a NUL. */
void hash128_hex(struct hash128 h, char out[33]);

/* Kafka's Java DefaultPartitioner: murmur2(key) & 0x7fffffff % count. */
uint32_t hash_murmur2(struct bytes b);
int32_t hash_partition_murmur2(struct bytes key, int32_t partition_count);
/* librdkafka's `consistent`: CRC32(key) % count. */
uint32_t hash_crc32(struct bytes b);
int32_t hash_partition_crc32(struct bytes key, int32_t partition_count);

#endif
