#include "processor/engine/members.h"

#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

void members_add(struct members *members, const char *id, const char *static_id)
{
    members->items = mem_resize_array(members->items, members->count + 1, sizeof *members->items);
    members->items[members->count++] = (struct member){
        .id = mem_copy_string(id),
        .static_id = static_id == NULL ? NULL : mem_copy_string(static_id),
    };
}

static int by_id(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return strcmp(x->id, y->id);
}

void members_sort(struct members *members)
{
    if (members->count > 0)
        qsort(members->items, members->count, sizeof *members->items, by_id);
}

void members_fini(struct members *members)
{
    for (size_t i = 0; i < members->count; i++) {
        mem_free(members->items[i].id);
        mem_free(members->items[i].static_id);
    }
    mem_free(members->items);
    *members = (struct members){ .items = NULL };
}

struct bytes members_process(const struct member *member)
{
    if (member->static_id == NULL)
        return bytes_of_string(member->id);
    const char *dash = strrchr(member->static_id, '-');
    return bytes_of(member->static_id,
                    dash == NULL ? strlen(member->static_id) : (size_t)(dash - member->static_id));
}

/* --- range ------------------------------------------------------------------------------------ */

/* The `extra` first members have one partition more. Returns the place in the order. */
static size_t range_place(size_t member_count, int32_t partition_count, int32_t partition)
{
    const size_t each = (size_t)partition_count / member_count;
    const size_t extra = (size_t)partition_count % member_count;
    const size_t longer = (each + 1) * extra; /* partitions of those with one more */
    if ((size_t)partition < longer)
        return (size_t)partition / (each + 1);
    return extra + ((size_t)partition - longer) / each;
}

/* Processes that are taken for gone. */
struct gone {
    struct bytes processes[MEMBERS_STANDBYS_MAX + 1];
    size_t count;
};

static bool is_gone(const struct gone *gone, const struct member *member)
{
    const struct bytes process = members_process(member);
    for (size_t i = 0; i < gone->count; i++) {
        if (bytes_equal(gone->processes[i], process))
            return true;
    }
    return false;
}

static int owner_without(const struct members *members, const struct gone *gone,
                         int32_t partition_count, int32_t partition)
{
    ENSURE(partition >= 0 && partition < partition_count);
    size_t left = 0;
    for (size_t i = 0; i < members->count; i++)
        left += !is_gone(gone, &members->items[i]);
    if (left == 0)
        return MEMBERS_NOBODY;
    size_t place = range_place(left, partition_count, partition);
    for (size_t i = 0; i < members->count; i++) {
        if (!is_gone(gone, &members->items[i]) && place-- == 0)
            return (int)i;
    }
    UNREACHABLE();
}

int members_owner(const struct members *members, int32_t partition_count, int32_t partition)
{
    const struct gone nobody = { .count = 0 };
    return owner_without(members, &nobody, partition_count, partition);
}

int members_standby(const struct members *members, int32_t partition_count, int32_t partition,
                    int number)
{
    struct gone gone = { .count = 0 };
    ENSURE(number >= 0 && number < MEMBERS_STANDBYS_MAX);
    int owner = members_owner(members, partition_count, partition);
    for (int i = 0; i <= number && owner != MEMBERS_NOBODY; i++) {
        gone.processes[gone.count++] = members_process(&members->items[owner]);
        owner = owner_without(members, &gone, partition_count, partition);
    }
    return owner;
}

void members_follows(const struct members *members, int32_t partition_count, int standbys,
                     struct bytes process, bool *follows)
{
    for (int32_t partition = 0; partition < partition_count; partition++) {
        follows[partition] = false;
        for (int i = 0; i < standbys && !follows[partition]; i++) {
            const int member = members_standby(members, partition_count, partition, i);
            if (member == MEMBERS_NOBODY)
                break;
            follows[partition] = bytes_equal(members_process(&members->items[member]), process);
        }
    }
}
