/*
 * places: stores for tests. A place is a store of some kind that can be closed and opened again
 * with its rows; on disk it is a directory of its own, removed at the end.
 */
#ifndef WEIR_TESTS_STATE_PLACES_H
#define WEIR_TESTS_STATE_PLACES_H

#include "state/store.h"

struct place {
    bool on_disk;
    char directory[64];
    struct store *store;
    struct store_partition *partition; /* named "t-0" */
};

void place_open(struct place *place, bool on_disk);
/* Closes everything and opens it again; in memory only the partition. */
void place_reopen(struct place *place);
void place_close(struct place *place);

/* A new empty directory, its name in `out`; and its end. */
void place_make_directory(char out[64]);
void place_remove_directory(const char *directory);

/* Opens the store on disk, with small buffers. */
struct store *place_open_rocks(const char *directory);

#endif
