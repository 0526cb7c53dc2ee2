/* Who owns what, and who would: tests/kafka/test_standby.py holds it against a real group. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "processor/engine/members.h"

/* Static ids, separated by spaces; the broker's part is something random behind them. */
static struct members members_of(const char *ids)
{
    struct members members = { .stable = true };
    char *text = mem_copy_string(ids), *rest = NULL;
    unsigned number = 0;
    for (char *id = strtok_r(text, " ", &rest); id != NULL; id = strtok_r(NULL, " ", &rest)) {
        char *full = mem_format("%s-%08x-aaaa", id, 0x9e3779b9u * ++number);
        members_add(&members, full, id);
        mem_free(full);
    }
    mem_free(text);
    members_sort(&members);
    return members;
}

static const struct owners_row {
    const char *name, *members;
    int partitions;
    const char *owners; /* by partition: place in the order of ids */
} owner_rows[] = {
    { "one has all", "t-0-0", 3, "000" },
    { "it divides", "t-0-0 t-1-0", 4, "0011" },
    { "the first have one more", "t-0-0 t-1-0 t-2-0", 8, "00011122" },
    { "more members than partitions", "t-0-0 t-1-0 t-2-0", 2, "01" },
};

Test(members, range_gives_neighbours_to_neighbours)
{
    for (size_t i = 0; i < sizeof owner_rows / sizeof owner_rows[0]; i++) {
        const struct owners_row *row = &owner_rows[i];
        struct members members = members_of(row->members);
        for (int p = 0; p < row->partitions; p++)
            cr_assert_eq(members_owner(&members, row->partitions, p), row->owners[p] - '0',
                         "%s: partition %d", row->name, p);
        members_fini(&members);
    }
}

/* The reason why ordinals are padded. */
Test(members, ids_sort_as_text)
{
    static const char *const sorted[] = { "t-1-0", "t-10-0", "t-2-0" };
    struct members members = members_of("t-2-0 t-10-0 t-1-0");
    for (int p = 0; p < 3; p++) {
        const char *id = members.items[members_owner(&members, 3, p)].id;
        cr_assert_eq(strncmp(id, sorted[p], strlen(sorted[p])), 0, "partition %d: %s", p, id);
    }
    members_fini(&members);
}

/* The group of so many processes and workers, but for one process. */
static struct members group_without(int processes, int workers, int gone)
{
    struct members members = { .stable = true };
    char id[64], full[80];
    for (int p = 0; p < processes; p++) {
        for (int w = 0; w < workers && p != gone; w++) {
            snprintf(id, sizeof id, "t-%05d-%d", p, w);
            snprintf(full, sizeof full, "%s-%x", id, p * 7919 + w);
            members_add(&members, full, id);
        }
    }
    members_sort(&members);
    return members;
}

static struct bytes owner_of(const struct members *members, int partitions, int partition)
{
    return members_process(&members->items[members_owner(members, partitions, partition)]);
}

/* Also a partition whose owner lives moves when another process is gone: range shifts. Over all small
 * groups it moves to its standby, so one standby is enough for any one process. */
Test(members, whoever_is_gone_a_partition_stays_or_goes_to_its_standby)
{
    for (int processes = 2; processes <= 5; processes++) {
        for (int workers = 1; workers <= 3; workers++) {
            struct members all = group_without(processes, workers, -1);
            for (int gone = 0; gone < processes; gone++) {
                struct members rest = group_without(processes, workers, gone);
                for (int partitions = 1; partitions <= 30; partitions++) {
                    for (int p = 0; p < partitions; p++) {
                        const struct bytes before = owner_of(&all, partitions, p);
                        const struct bytes after = owner_of(&rest, partitions, p);
                        const int standby = members_standby(&all, partitions, p, 0);
                        cr_assert(bytes_equal(before, after) ||
                                      bytes_equal(after, members_process(&all.items[standby])),
                                  "%d processes of %d workers without %d: partition %d of %d",
                                  processes, workers, gone, p, partitions);
                    }
                }
                members_fini(&rest);
            }
            members_fini(&all);
        }
    }
}

/* What the rest assigns when a process is gone is what was foretold: over all small groups. */
Test(members, a_standby_is_the_owner_once_the_process_is_gone)
{
    for (int processes = 1; processes <= 4; processes++) {
        for (int workers = 1; workers <= 3; workers++) {
            for (int partitions = 1; partitions <= 13; partitions++) {
                struct members all = group_without(processes, workers, -1);
                for (int partition = 0; partition < partitions; partition++) {
                    const int owner = members_owner(&all, partitions, partition);
                    struct members rest = { .stable = true };
                    for (size_t i = 0; i < all.count; i++) {
                        if (!bytes_equal(members_process(&all.items[i]),
                                         members_process(&all.items[owner])))
                            members_add(&rest, all.items[i].id, all.items[i].static_id);
                    }
                    members_sort(&rest);
                    const int next = members_owner(&rest, partitions, partition);
                    const int standby = members_standby(&all, partitions, partition, 0);
                    cr_assert_eq(next == MEMBERS_NOBODY, standby == MEMBERS_NOBODY);
                    if (next != MEMBERS_NOBODY)
                        cr_assert_str_eq(rest.items[next].id, all.items[standby].id,
                                         "%d processes, %d workers, partition %d of %d", processes,
                                         workers, partition, partitions);
                    members_fini(&rest);
                }
                members_fini(&all);
            }
        }
    }
}

Test(members, each_partition_has_as_many_followers_as_wanted_and_none_of_them_owns_it)
{
    struct members members = members_of("t-0-0 t-0-1 t-1-0 t-1-1 t-2-0 t-2-1 t-3-0 t-3-1");
    enum { PARTITIONS = 11, PROCESSES = 4 };
    for (int standbys = 0; standbys <= 5; standbys++) {
        int followers[PARTITIONS] = { 0 };
        for (int process = 0; process < PROCESSES; process++) {
            char name[16];
            bool follows[PARTITIONS];
            snprintf(name, sizeof name, "t-%d", process);
            members_follows(&members, PARTITIONS, standbys, bytes_of_string(name), follows);
            for (int p = 0; p < PARTITIONS; p++) {
                const int owner = members_owner(&members, PARTITIONS, p);
                followers[p] += follows[p];
                cr_assert(!follows[p] || !bytes_equal(members_process(&members.items[owner]),
                                                      bytes_of_string(name)));
            }
        }
        for (int p = 0; p < PARTITIONS; p++)
            cr_assert_eq(followers[p], standbys < PROCESSES - 1 ? standbys : PROCESSES - 1);
    }
    members_fini(&members);
}

Test(members, somebody_who_is_not_in_the_group_follows_nothing)
{
    struct members members = members_of("t-0-0 t-1-0");
    struct members nobody = { .stable = true };
    bool follows[4];
    members_follows(&members, 4, 3, BYTES_LITERAL("t-9"), follows);
    for (int p = 0; p < 4; p++)
        cr_assert(!follows[p]);
    members_follows(&nobody, 4, 3, BYTES_LITERAL("t-0"), follows);
    for (int p = 0; p < 4; p++)
        cr_assert(!follows[p]);
    members_fini(&members);
}

Test(members, a_dynamic_member_is_a_process_of_its_own)
{
    struct members members = { .stable = true };
    members_add(&members, "rdkafka-1f", NULL);
    cr_assert(bytes_equal(members_process(&members.items[0]), BYTES_LITERAL("rdkafka-1f")));
    members_fini(&members);
}
