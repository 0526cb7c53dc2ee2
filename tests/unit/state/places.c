#define _GNU_SOURCE /* nftw */
#include "places.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void open_partition(struct place *place);

void place_open(struct place *place, bool on_disk)
{
    *place = (struct place){ .on_disk = on_disk };
    if (on_disk) {
        place_make_directory(place->directory);
        place->store = place_open_rocks(place->directory);
    } else {
        store_open_memory(&place->store);
    }
    open_partition(place);
}

void place_reopen(struct place *place)
{
    place->store->type->partition_close(place->partition);
    if (place->on_disk) {
        store_close(&place->store);
        place->store = place_open_rocks(place->directory);
    }
    open_partition(place);
}

void place_close(struct place *place)
{
    place->store->type->partition_close(place->partition);
    store_close(&place->store);
    if (place->on_disk)
        place_remove_directory(place->directory);
}

void place_make_directory(char out[64])
{
    strcpy(out, "/tmp/weir-test-XXXXXX");
    cr_assert_not_null(mkdtemp(out));
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void place_remove_directory(const char *directory)
{
    cr_assert_eq(nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

struct store *place_open_rocks(const char *directory)
{
    struct error err = { 0 };
    struct store *store = NULL;
    const struct store_rocks_options options = {
        .directory = directory,
        .block_cache_bytes = 1 << 20,
        .memtable_bytes = 4 << 20,
    };
    cr_assert_eq(store_open_rocks(&store, &options, &err), ST_OK, "%s", err.text);
    return store;
}

static void open_partition(struct place *place)
{
    struct error err = { 0 };
    place->partition = NULL;
    cr_assert_eq(place->store->type->partition_open(place->store, &place->partition, "t-0", &err),
                 ST_OK, "%s", err.text);
}
