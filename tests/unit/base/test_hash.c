#include <criterion/criterion.h>
#include <inttypes.h>

#include "base/hash.h"
#include "base/random.h"

/* From Kafka's own UtilsTest (testMurmur2). */
Test(hash, murmur2_is_that_of_kafka)
{
    static const struct {
        const char *key;
        int32_t hash;
    } rows[] = {
        { "21", -973932308 },
        { "foobar", -790332482 },
        { "a-little-bit-long-string", -985981536 },
        { "a-little-bit-longer-string", -1486304829 },
        { "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971 },
        { "abc", 479470107 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_assert_eq((int32_t)hash_murmur2(bytes_of_string(rows[i].key)), rows[i].hash, "%s",
                     rows[i].key);
}

/* Byte by byte as Java has it, with `& 0xff` on signed bytes: the vectors above are all ASCII. */
static uint32_t naive_murmur2(const int8_t *data, uint32_t length)
{
    uint32_t h = 0x9747b28c ^ length;
    for (uint32_t i = 0; i < length / 4; i++) {
        uint32_t k = (uint32_t)(data[4 * i] & 0xff) + ((uint32_t)(data[4 * i + 1] & 0xff) << 8) +
                     ((uint32_t)(data[4 * i + 2] & 0xff) << 16) +
                     ((uint32_t)(data[4 * i + 3] & 0xff) << 24);
        k *= 0x5bd1e995;
        k ^= k >> 24;
        k *= 0x5bd1e995;
        h *= 0x5bd1e995;
        h ^= k;
    }
    const uint32_t tail = length & ~3u;
    if (length % 4 == 3)
        h ^= (uint32_t)(data[tail + 2] & 0xff) << 16;
    if (length % 4 >= 2)
        h ^= (uint32_t)(data[tail + 1] & 0xff) << 8;
    if (length % 4 >= 1) {
        h ^= (uint32_t)(data[tail] & 0xff);
        h *= 0x5bd1e995;
    }
    h ^= h >> 13;
    h *= 0x5bd1e995;
    return h ^ h >> 15;
}

static uint32_t naive_crc32(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
    }
    return ~crc;
}

Test(hash, agrees_with_naive_versions_on_any_bytes)
{
    struct prng prng = prng_from_env("TEST_SEED", 13);
    for (int round = 0; round < 20000; round++) {
        uint8_t data[40];
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (uint8_t)prng_next(&prng);
        const size_t start = prng_below(&prng, 8); /* alignment must not matter */
        const struct bytes b = bytes_of(data + start, prng_below(&prng, sizeof data - start + 1));
        cr_assert_eq(hash_murmur2(b), naive_murmur2((const int8_t *)b.data, (uint32_t)b.size),
                     "TEST_SEED=%" PRIu64 " round=%d", prng.seed, round);
        cr_assert_eq(hash_crc32(b), naive_crc32(b.data, b.size), "TEST_SEED=%" PRIu64 " round=%d",
                     prng.seed, round);
    }
}

Test(hash, crc32_is_the_usual_one)
{
    cr_assert_eq(hash_crc32(BYTES_LITERAL("123456789")), 0xcbf43926);
    cr_assert_eq(hash_crc32(BYTES_LITERAL("")), 0);
    cr_assert_eq(hash_crc32(BYTES_NONE), 0);
}

Test(hash, partitions_are_those_of_the_clients)
{
    cr_assert_eq(hash_partition_murmur2(BYTES_LITERAL("21"), 12), (-973932308 & 0x7fffffff) % 12);
    cr_assert_eq(hash_partition_murmur2(BYTES_LITERAL("abc"), 7), 479470107 % 7);
    cr_assert_eq(hash_partition_crc32(BYTES_LITERAL("123456789"), 10), 3421780262 % 10);
    struct prng prng = prng_from_env("TEST_SEED", 14);
    for (int round = 0; round < 10000; round++) {
        const uint64_t key = prng_next(&prng);
        const int32_t count = (int32_t)prng_between(&prng, 1, INT32_MAX);
        const struct bytes b = bytes_of(&key, sizeof key);
        const int32_t partitions[] = { hash_partition_murmur2(b, count),
                                       hash_partition_crc32(b, count) };
        for (size_t i = 0; i < 2; i++)
            cr_assert(partitions[i] >= 0 && partitions[i] < count, "TEST_SEED=%" PRIu64 " round=%d",
                      prng.seed, round);
    }
}

/* From the sanity checks of xxHash 0.8, over its own test bytes. */
Test(hash, xxh3_is_the_published_one)
{
    cr_assert_eq(hash64(BYTES_LITERAL("")), 0x2d06800538d394c2);
    cr_assert_eq(hash64(BYTES_NONE), 0x2d06800538d394c2);

    uint8_t data[2243];
    uint64_t generator = 2654435761;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(generator >> 56);
        generator *= 11400714785074694797u;
    }
    static const struct {
        size_t size;
        uint64_t hash;
    } rows[] = {
        { 1, 0xc44bdff4074eecdb },    { 6, 0x27b56a84cd2d7325 },   { 12, 0xa713daf0dfbb77e7 },
        { 24, 0xa3fe70bf9d3510eb },   { 48, 0x397da259ecba1f11 },  { 80, 0xbcdefbbb2c47c90a },
        { 195, 0xcd94217ee362ec3a },  { 403, 0xcdeb804d65c6dea4 }, { 512, 0x617e49599013cb6b },
        { 2048, 0xdd59e2c3a5f038e0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_assert_eq(hash64(bytes_of(data, rows[i].size)), rows[i].hash, "size %zu", rows[i].size);
}

Test(hash, hash128_is_the_published_one_and_prints_as_hex)
{
    char hex[33];
    hash128_hex(hash128(BYTES_LITERAL("")), hex);
    cr_assert_str_eq(hex, "99aa06d3014798d86001c324468d497f");
    hash128_hex((struct hash128){ .high = 1, .low = 0xabcdef }, hex);
    cr_assert_str_eq(hex, "00000000000000010000000000abcdef");
}
