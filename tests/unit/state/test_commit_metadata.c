#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "base/random.h"
#include "state/commit_metadata.h"

static const char example[] =
    "v=1 seq=17 nonce=00000000deadbeef tail=-1 ckpt=9:120:3 inc=0123456789abcdef ref=5 rel=0 "
    "ids=fraud-00-0,fraud-00-1";

static enum status parse(struct commit_metadata *out, const char *text)
{
    return commit_metadata_parse(out, bytes_of_string(text), NULL);
}

Test(commit_metadata, is_the_documented_text)
{
    struct commit_metadata metadata = {
        .seq = 17,
        .nonce = 0xdeadbeef,
        .tail_offset = -1,
        .checkpoint = { .seq = 9, .tail_offset = 120, .number = 3 },
        .incarnation = 0x0123456789abcdef,
        .reference_offset = 5,
        .owner_count = 2,
        .owners = { "fraud-00-0", "fraud-00-1" },
    };
    char text[COMMIT_METADATA_SIZE];
    cr_assert_eq(commit_metadata_format(text, &metadata), (int)strlen(example));
    cr_assert_str_eq(text, example);

    struct commit_metadata read;
    cr_assert_eq(parse(&read, example), ST_OK);
    cr_assert_eq(memcmp(&read, &metadata, sizeof read), 0);
}

static void any_owner(struct prng *prng, char out[COMMIT_OWNER_ID_SIZE])
{
    const int size = (int)prng_between(prng, 1, COMMIT_OWNER_ID_SIZE - 1);
    for (int i = 0; i < size; i++)
        do
            out[i] = (char)prng_between(prng, '!', '~');
        while (out[i] == ',');
}

static uint64_t any_number(struct prng *prng)
{
    switch (prng_below(prng, 4)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    default:
        return prng_next(prng) >> prng_below(prng, 64);
    }
}

static struct commit_metadata any_metadata(struct prng *prng)
{
    struct commit_metadata metadata = {
        .seq = any_number(prng),
        .nonce = any_number(prng),
        .tail_offset = (int64_t)any_number(prng),
        .checkpoint = { any_number(prng), (int64_t)any_number(prng), any_number(prng) },
        .incarnation = any_number(prng),
        .reference_offset = prng_chance(prng, 1, 5) ? INT64_MIN : (int64_t)any_number(prng),
        .released = prng_chance(prng, 1, 2),
        .owner_count = (int)prng_below(prng, COMMIT_OWNER_IDS_MAX + 1),
    };
    for (int i = 0; i < metadata.owner_count; i++)
        any_owner(prng, metadata.owners[i]);
    return metadata;
}

Test(commit_metadata, comes_back_as_it_was)
{
    struct prng prng = prng_from_env("TEST_SEED", 1);
    for (int i = 0; i < 2000; i++) {
        const struct commit_metadata metadata = any_metadata(&prng);
        struct commit_metadata read;
        char text[COMMIT_METADATA_SIZE];
        const int size = commit_metadata_format(text, &metadata);
        cr_assert_eq((size_t)size, strlen(text));
        cr_assert_eq(parse(&read, text), ST_OK, "TEST_SEED=%" PRIu64 " %s", prng.seed, text);
        cr_assert_eq(memcmp(&read, &metadata, sizeof read), 0, "%s", text);
    }
}

/* Whatever is accepted is written back the same way. */
Test(commit_metadata, is_never_half_understood)
{
    struct prng prng = prng_from_env("TEST_SEED", 2);
    for (int i = 0; i < 20000; i++) {
        const struct commit_metadata metadata = any_metadata(&prng);
        struct commit_metadata read;
        char text[COMMIT_METADATA_SIZE], again[COMMIT_METADATA_SIZE];
        const int size = commit_metadata_format(text, &metadata);
        text[prng_below(&prng, (uint64_t)size)] = (char)prng_between(&prng, 1, 127);
        if (parse(&read, text) != ST_OK)
            continue;
        const int size_again = commit_metadata_format(again, &read);
        cr_assert_eq(strncmp(text, again, (size_t)size_again), 0, "TEST_SEED=%" PRIu64 " %s",
                     prng.seed, text);
        cr_assert(text[size_again] == '\0' || text[size_again] == ' ', "%s", text);
    }
}

Test(commit_metadata, cut_before_the_ids_is_corrupt)
{
    struct commit_metadata read;
    const size_t ids = (size_t)(strstr(example, "ids=") + strlen("ids=") - example);
    for (size_t size = 0; size < ids; size++)
        cr_assert_eq(commit_metadata_parse(&read, bytes_of(example, size), NULL), ST_CORRUPT, "%zu",
                     size);
}

static const struct {
    const char *name;
    const char *text;
    enum status expected;
} texts[] = {
    { "somebody else's", "position of my own tool", ST_CORRUPT },
    { "a higher version", "v=2 anything", ST_FORMAT_NEWER },
    { "version 0", "v=0 seq=1", ST_CORRUPT },
    { "version too large to count", "v=99999999999999999999999 seq=1", ST_CORRUPT },
    { "a later writer's field",
      "v=1 seq=1 nonce=0000000000000000 tail=0 ckpt=0:0:0 inc=0000000000000000 ref=0 rel=1 ids= "
      "x=1",
      ST_OK },
    { "no ids",
      "v=1 seq=1 nonce=0000000000000000 tail=0 ckpt=0:0:0 inc=0000000000000000 ref=0 rel=1 ids=",
      ST_OK },
    { "an empty id",
      "v=1 seq=1 nonce=0000000000000000 tail=0 ckpt=0:0:0 inc=0000000000000000 ref=0 rel=1 ids=a,",
      ST_CORRUPT },
    { "too many ids",
      "v=1 seq=1 nonce=0000000000000000 tail=0 ckpt=0:0:0 inc=0000000000000000 ref=0 rel=1 "
      "ids=a,b,c",
      ST_CORRUPT },
    { "another order",
      "v=1 nonce=0000000000000000 seq=1 tail=0 ckpt=0:0:0 inc=0000000000000000 ref=0 rel=1 ids=",
      ST_CORRUPT },
    { "a number too large",
      "v=1 seq=18446744073709551616 nonce=0000000000000000 tail=0 ckpt=0:0:0 "
      "inc=0000000000000000 ref=0 rel=1 ids=",
      ST_CORRUPT },
    { "an offset too large",
      "v=1 seq=1 nonce=0000000000000000 tail=9223372036854775808 ckpt=0:0:0 "
      "inc=0000000000000000 ref=0 rel=1 ids=",
      ST_CORRUPT },
    { "a leading zero",
      "v=1 seq=01 nonce=0000000000000000 tail=0 ckpt=0:0:0 inc=0000000000000000 ref=0 rel=1 ids=",
      ST_CORRUPT },
    { "capital hex",
      "v=1 seq=1 nonce=000000000000000A tail=0 ckpt=0:0:0 inc=0000000000000000 ref=0 rel=1 ids=",
      ST_CORRUPT },
    { "released neither 0 nor 1",
      "v=1 seq=1 nonce=0000000000000000 tail=0 ckpt=0:0:0 inc=0000000000000000 ref=0 rel=2 ids=",
      ST_CORRUPT },
    { "not printable",
      "v=1 seq=1 nonce=0000000000000000 tail=0 ckpt=0:0:0 inc=0000000000000000 ref=0 rel=1 "
      "ids=\x7f",
      ST_CORRUPT },
};

Test(commit_metadata, has_a_status_for_every_oddity)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct commit_metadata read;
        cr_expect_eq(parse(&read, texts[i].text), texts[i].expected, "%s", texts[i].name);
    }
    struct commit_metadata read;
    cr_expect_eq(commit_metadata_parse(&read, BYTES_NONE, NULL), ST_CORRUPT);
}

Test(commit_metadata, too_long_an_id_is_corrupt)
{
    char text[512];
    struct commit_metadata read;
    strcpy(text, "v=1 seq=1 nonce=0000000000000000 tail=0 ckpt=0:0:0 inc=0000000000000000 ref=0 "
                 "rel=1 ids=");
    const size_t start = strlen(text);
    memset(text + start, 'x', COMMIT_OWNER_ID_SIZE - 1);
    cr_assert_eq(
        commit_metadata_parse(&read, bytes_of(text, start + COMMIT_OWNER_ID_SIZE - 1), NULL),
        ST_OK);
    text[start + COMMIT_OWNER_ID_SIZE - 1] = 'x';
    cr_assert_eq(commit_metadata_parse(&read, bytes_of(text, start + COMMIT_OWNER_ID_SIZE), NULL),
                 ST_CORRUPT);
}
