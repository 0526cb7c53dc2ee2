#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "base/random.h"
#include "state/changelog.h"

static struct store_position example(void)
{
    return (struct store_position){
        .identity = {
            .format_version = STATE_FORMAT_VERSION,
            .incarnation = 0x0123456789abcdef,
            .partition = 3,
            .partition_count = 12,
            .cluster_id = "kafka-cluster",
            .group = "card-fraud",
        },
        .seq = 1000,
        .nonce = 0xfedcba9876543210,
    };
}

Test(changelog, tells_rows_from_its_own_records)
{
    cr_expect_eq(changelog_kind_of(BYTES_LITERAL("\1row")), CHANGELOG_ROW);
    cr_expect_eq(changelog_kind_of(BYTES_LITERAL("\xff")), CHANGELOG_ROW);
    cr_expect_eq(changelog_kind_of(changelog_identity_key()), CHANGELOG_IDENTITY);
    cr_expect_eq(changelog_kind_of(changelog_end_key()), CHANGELOG_END);
    cr_expect_eq(changelog_kind_of(bytes_of("\0Ex", 3)), CHANGELOG_UNKNOWN);
    cr_expect_eq(changelog_kind_of(bytes_of("\0X", 2)), CHANGELOG_UNKNOWN);
    cr_expect_eq(changelog_kind_of(bytes_of("\0", 1)), CHANGELOG_UNKNOWN);
    cr_expect_eq(changelog_kind_of(bytes_of("", 0)), CHANGELOG_UNKNOWN);
    cr_expect_eq(changelog_kind_of(BYTES_NONE), CHANGELOG_UNKNOWN);
}

Test(changelog, records_come_back_as_they_were_and_cut_ones_do_not)
{
    const struct store_position position = example();
    struct store_position read = { 0 };
    struct state_identity identity = { 0 };
    AUTO(buffer_fini) struct buffer whole = { 0 };
    AUTO(buffer_fini) struct buffer part = { 0 };
    store_position_write(&whole, &position);
    changelog_identity_write(&part, &position.identity);
    cr_assert_eq(store_position_read(&read, buffer_view(&whole), NULL), ST_OK);
    cr_assert_eq(memcmp(&read, &position, sizeof read), 0);
    cr_assert_eq(changelog_identity_read(&identity, buffer_view(&part), NULL), ST_OK);
    cr_assert_eq(memcmp(&identity, &position.identity, sizeof identity), 0);

    for (size_t size = 0; size < whole.size; size++)
        cr_expect_eq(store_position_read(&read, bytes_of(whole.data, size), NULL), ST_CORRUPT);
    for (size_t size = 0; size < part.size; size++)
        cr_expect_eq(changelog_identity_read(&identity, bytes_of(part.data, size), NULL),
                     ST_CORRUPT);
    buffer_put_u8(&whole, 0);
    buffer_put_u8(&part, 0);
    cr_expect_eq(store_position_read(&read, buffer_view(&whole), NULL), ST_CORRUPT);
    cr_expect_eq(changelog_identity_read(&identity, buffer_view(&part), NULL), ST_CORRUPT);
}

Test(changelog, an_end_mark_comes_back_as_it_was)
{
    static const uint64_t numbers[] = { 0, 1, 127, 128, 1 << 20, UINT64_MAX };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const struct changelog_end end = { numbers[i], UINT64_MAX - numbers[i] };
        struct changelog_end read;
        AUTO(buffer_fini) struct buffer out = { 0 };
        changelog_end_write(&out, &end);
        cr_assert_eq(changelog_end_read(&read, buffer_view(&out), NULL), ST_OK);
        cr_assert(read.number == end.number && read.seq == end.seq);
        for (size_t size = 0; size < out.size; size++)
            cr_expect_eq(changelog_end_read(&read, bytes_of(out.data, size), NULL), ST_CORRUPT);
        buffer_put_u8(&out, 0);
        cr_expect_eq(changelog_end_read(&read, buffer_view(&out), NULL), ST_CORRUPT);
    }
    struct changelog_end read;
    cr_expect_eq(changelog_end_read(&read, BYTES_NONE, NULL), ST_CORRUPT);
}

Test(changelog, a_later_format_is_not_read_on)
{
    struct store_position position = example(), read;
    struct error err = { 0 };
    AUTO(buffer_fini) struct buffer out = { 0 };
    position.identity.format_version = STATE_FORMAT_VERSION + 1;
    store_position_write(&out, &position);
    cr_assert_eq(store_position_read(&read, buffer_view(&out), &err), ST_FORMAT_NEWER);
    cr_assert_eq(changelog_identity_read(&read.identity, bytes_of(out.data, 1), &err),
                 ST_FORMAT_NEWER);
}

Test(changelog, names_that_are_too_long_or_end_early_are_corrupt)
{
    struct state_identity read;
    for (size_t size = 60; size < 70; size++) {
        AUTO(buffer_fini) struct buffer out = { 0 };
        char name[70];
        memset(name, 'n', sizeof name);
        buffer_put_varint(&out, STATE_FORMAT_VERSION);
        buffer_put_be64(&out, 1);
        buffer_put_varint(&out, 0);
        buffer_put_varint(&out, 1);
        buffer_put_run(&out, bytes_of(name, size));
        buffer_put_run(&out, BYTES_LITERAL("g"));
        const enum status expected = size < sizeof read.cluster_id ? ST_OK : ST_CORRUPT;
        cr_expect_eq(changelog_identity_read(&read, buffer_view(&out), NULL), expected);
        out.data[out.size - 5] = '\0'; /* within the name */
        cr_expect_eq(changelog_identity_read(&read, buffer_view(&out), NULL), ST_CORRUPT);
    }
}

static void change_nothing(struct state_identity *identity)
{
    (void)identity;
}
static void change_format(struct state_identity *identity)
{
    identity->format_version++;
}
static void change_cluster(struct state_identity *identity)
{
    strcpy(identity->cluster_id, "another-cluster");
}
static void change_group(struct state_identity *identity)
{
    strcpy(identity->group, "another-group");
}
static void change_count(struct state_identity *identity)
{
    identity->partition_count = 24;
}
static void change_partition(struct state_identity *identity)
{
    identity->partition = 4;
}
static void change_incarnation(struct state_identity *identity)
{
    identity->incarnation++;
}

static const struct {
    const char *name;
    void (*change)(struct state_identity *);
    enum status expected;
    const char *told;
} changes[] = {
    { "nothing", change_nothing, ST_OK, "" },
    { "format", change_format, ST_FORMAT_NEWER, "newer" },
    { "cluster", change_cluster, ST_REFUSED, "another-cluster" },
    { "group", change_group, ST_REFUSED, "another-group" },
    { "partition count", change_count, ST_REFUSED, "24" },
    { "partition", change_partition, ST_REFUSED, "4" },
    { "incarnation", change_incarnation, ST_REFUSED, "reset" },
};

Test(changelog, state_of_somebody_else_is_refused_with_the_reason)
{
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const struct state_identity wanted = example().identity;
        struct state_identity found = wanted;
        struct error err = { 0 };
        changes[i].change(&found);
        cr_expect_eq(state_identity_check(&wanted, &found, &err), changes[i].expected, "%s",
                     changes[i].name);
        cr_expect_not_null(strstr(err.text, changes[i].told), "%s: %s", changes[i].name, err.text);
    }
}

Test(changelog, state_of_an_older_format_can_be_used)
{
    const struct state_identity wanted = example().identity;
    struct state_identity found = wanted;
    found.format_version = STATE_FORMAT_VERSION - 1;
    cr_assert_eq(state_identity_check(&wanted, &found, NULL), ST_OK);
}
