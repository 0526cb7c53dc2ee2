#define XXH_INLINE_ALL
#include "base/hash.h"

#include <xxhash.h>
#include <zlib.h>

#include "base/ensure.h"

/* XXH3 is not asked to take NULL. */
static const void *address(struct bytes b)
{
    return b.size == 0 ? "" : (const void *)b.data;
}

uint64_t hash64(struct bytes b)
{
    return XXH3_64bits(address(b), b.size);
}

struct hash128 hash128(struct bytes b)
{
    const XXH128_hash_t h = XXH3_128bits(address(b), b.size);
    return (struct hash128){ .high = h.high64, .low = h.low64 };
}

void hash128_hex(struct hash128 h, char out[33])
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 16; i++) {
        out[i] = digits[h.high >> (60 - 4 * i) & 0xf];
        out[16 + i] = digits[h.low >> (60 - 4 * i) & 0xf];
    }
    out[32] = '\0';
}

/* org.apache.kafka.common.utils.Utils.murmur2 (Austin Appleby's MurmurHash2 with Kafka's seed). */
uint32_t hash_murmur2(struct bytes b)
{
    enum { R = 24 };
    const uint32_t seed = 0x9747b28c, m = 0x5bd1e995;
    uint32_t h = seed ^ (uint32_t)b.size;
    size_t i = 0;
    for (; i + 4 <= b.size; i += 4) {
        uint32_t k = 0;
        memcpy(&k, b.data + i, sizeof k); /* little endian, as the reference */
        k *= m;
        k ^= k >> R;
        k *= m;
        h *= m;
        h ^= k;
    }
    if (i < b.size) {
        for (unsigned shift = 0; i < b.size; i++, shift += 8)
            h ^= (uint32_t)b.data[i] << shift;
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return h;
}

int32_t hash_partition_murmur2(struct bytes key, int32_t partition_count)
{
    ENSURE(partition_count > 0);
    return (int32_t)(hash_murmur2(key) & 0x7fffffff) % partition_count;
}

uint32_t hash_crc32(struct bytes b)
{
    return (uint32_t)crc32_z(0, address(b), b.size);
}

int32_t hash_partition_crc32(struct bytes key, int32_t partition_count)
{
    ENSURE(partition_count > 0);
    return (int32_t)(hash_crc32(key) % (uint32_t)partition_count);
}
