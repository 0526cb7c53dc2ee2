/*
 * What every store promises, in memory and on disk: a model test of all calls, and the calls'
 * edges.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "places.h"
#include "row_model.h"

struct world {
    struct place place;
    struct prng prng;
    int step;
    uint32_t next_version;
    struct row_model model;
    uint32_t position; /* 0: none */
};

#define CHECK(w, condition, what)                                                             \
    cr_assert(condition, "%s: TEST_SEED=%" PRIu64 " step=%d disk=%d", (what), (w)->prng.seed, \
              (w)->step, (w)->place.on_disk)

static const struct store_type *type_of(struct world *w)
{
    return w->place.partition->type;
}

static void check_get(struct world *w)
{
    const int key = model_any_key(&w->prng);
    struct buffer out;
    bool found = false;
    buffer_init(&out);
    buffer_put_u8(&out, 'x');
    CHECK(w, type_of(w)->get(w->place.partition, model_key(key), &out, &found, NULL) == ST_OK,
          "get");
    CHECK(w, found == (w->model.versions[key] != 0), "get: found");
    const struct bytes value = bytes_of(out.data + 1, out.size - 1);
    CHECK(w, !found || bytes_equal(value, model_value(w->model.versions[key])), "get: value");
    CHECK(w, out.data[0] == 'x' && (found || value.size == 0), "get appends");
    buffer_fini(&out);
}

struct expected_rows {
    struct world *world;
    int next;
    int left; /* calls until it says stop */
};

static bool check_scanned(void *context, struct bytes key, struct bytes value)
{
    struct expected_rows *expected = context;
    struct world *w = expected->world;
    const int number = model_number(key);
    CHECK(w, expected->left > 0, "scan goes on after it was stopped");
    CHECK(w, number >= expected->next, "scan order");
    for (; expected->next < number; expected->next++)
        CHECK(w, w->model.versions[expected->next] == 0, "scan misses a row");
    CHECK(w, bytes_equal(value, model_value(w->model.versions[number])), "scan value");
    expected->next = number + 1;
    return --expected->left > 0;
}

static void check_scan(struct world *w)
{
    const struct bytes from = model_any_limit(&w->prng), to = model_any_limit(&w->prng);
    struct expected_rows expected = { w, 0, (int)prng_between(&w->prng, 1, 2 * MODEL_KEYS) };
    while (expected.next < MODEL_KEYS && bytes_compare(model_key(expected.next), from) < 0)
        expected.next++;
    CHECK(w,
          type_of(w)->scan(w->place.partition, from, to, check_scanned, &expected, NULL) == ST_OK,
          "scan");
    for (; expected.left > 0 && expected.next < MODEL_KEYS; expected.next++)
        CHECK(w,
              w->model.versions[expected.next] == 0 ||
                  (to.data != NULL && bytes_compare(model_key(expected.next), to) >= 0),
              "scan ends too early");
}

static void check_position(struct world *w)
{
    struct buffer out;
    buffer_init(&out);
    CHECK(w, type_of(w)->position(w->place.partition, &out, NULL) == ST_OK, "position");
    const struct bytes expected = model_value(w->position);
    CHECK(w, out.size == expected.size, "position size");
    CHECK(w, out.size == 0 || bytes_equal(buffer_view(&out), expected), "position");
    buffer_fini(&out);
}

/* Some rows of the model change; returns how many. */
static size_t change_rows(struct world *w, struct store_row *rows, int percent_deleted)
{
    static uint8_t values[MODEL_KEYS][MODEL_VALUE_MAX];
    size_t count = 0;
    for (int key = 0; key < MODEL_KEYS; key++) {
        if (prng_chance(&w->prng, 4, 5))
            continue;
        const bool deleted = prng_chance(&w->prng, (uint64_t)percent_deleted, 100);
        const uint32_t version = deleted ? 0 : w->next_version++;
        struct bytes value = model_value(version);
        if (value.data != NULL) {
            memcpy(values[key], value.data, value.size);
            value.data = values[key];
        }
        rows[count++] = (struct store_row){ model_key(key), value };
        w->model.versions[key] = version;
    }
    return count;
}

static void do_write(struct world *w)
{
    struct store_row rows[MODEL_KEYS];
    const size_t count = change_rows(w, rows, 30);
    struct bytes position = BYTES_NONE;
    if (prng_chance(&w->prng, 1, 2)) {
        w->position = w->next_version++;
        position = model_value(w->position);
    }
    CHECK(w, type_of(w)->write(w->place.partition, rows, count, position, NULL) == ST_OK, "write");
}

static void do_flush(struct world *w)
{
    CHECK(w, type_of(w)->flush(w->place.partition, NULL) == ST_OK, "flush");
    CHECK(w, type_of(w)->bytes_used(w->place.partition) > 0 || !w->place.on_disk, "bytes used");
}

static void do_reopen(struct world *w)
{
    place_reopen(&w->place);
}

static void do_drop(struct world *w)
{
    CHECK(w, type_of(w)->partition_drop(w->place.partition, NULL) == ST_OK, "drop");
    w->model = (struct row_model){ 0 };
    w->position = 0;
}

/* What a restore does: runs, the later one over the earlier, into the empty partition. */
static void do_ingest(struct world *w)
{
    struct store_row rows[MODEL_KEYS];
    do_drop(w);
    const struct store_type *type = type_of(w);
    for (uint64_t runs = 1 + prng_below(&w->prng, 6); runs > 0; runs--) {
        const size_t count = change_rows(w, rows, 10);
        CHECK(w, type->ingest(w->place.partition, rows, count, NULL) == ST_OK, "ingest");
    }
    CHECK(w, type->ingest(w->place.partition, NULL, 0, NULL) == ST_OK, "ingest of nothing");
}

static void run(struct world *w, bool on_disk, int steps, uint64_t rarely)
{
    static void (*const often[])(struct world *) = { check_get,  check_get,      check_scan,
                                                     check_scan, check_position, do_write };
    static void (*const rare[])(struct world *) = { do_flush, do_reopen, do_drop, do_ingest };
    *w = (struct world){ .next_version = 1 };
    w->prng = prng_from_env("TEST_SEED", 7 + on_disk);
    place_open(&w->place, on_disk);
    for (w->step = 0; w->step < steps; w->step++) {
        if (prng_chance(&w->prng, 1, rarely))
            rare[prng_below(&w->prng, sizeof rare / sizeof rare[0])](w);
        else
            often[prng_below(&w->prng, sizeof often / sizeof often[0])](w);
    }
    place_close(&w->place);
}

Test(store, in_memory_agrees_with_an_array, .timeout = 300)
{
    static struct world w;
    run(&w, false, 20000, 50);
}

Test(store, on_disk_agrees_with_an_array, .timeout = 300)
{
    static struct world w;
    run(&w, true, 3000, 50);
}

static void keeps_partitions_apart(bool on_disk)
{
    struct place place;
    place_open(&place, on_disk);
    struct store_partition *other = NULL;
    const struct store_type *type = place.store->type;
    cr_assert_eq(type->partition_open(place.store, &other, "t-1", NULL), ST_OK);

    const struct store_row mine = { BYTES_LITERAL("\1k"), BYTES_LITERAL("mine") };
    const struct store_row theirs = { BYTES_LITERAL("\1k"), BYTES_LITERAL("theirs") };
    cr_assert_eq(type->write(place.partition, &mine, 1, BYTES_LITERAL("p0"), NULL), ST_OK);
    cr_assert_eq(type->write(other, &theirs, 1, BYTES_LITERAL("p1"), NULL), ST_OK);
    cr_assert_eq(type->partition_drop(other, NULL), ST_OK);

    struct buffer out;
    bool found = false;
    buffer_init(&out);
    cr_assert_eq(type->get(other, theirs.key, &out, &found, NULL), ST_OK);
    cr_assert(!found);
    cr_assert_eq(type->get(place.partition, mine.key, &out, &found, NULL), ST_OK);
    cr_assert(found);
    cr_assert_eq(type->position(place.partition, &out, NULL), ST_OK);
    cr_assert_str_eq(buffer_text(&out), "minep0");
    buffer_fini(&out);
    type->partition_close(other);
    place_close(&place);
}

Test(store, keeps_partitions_apart_in_memory)
{
    keeps_partitions_apart(false);
}

Test(store, keeps_partitions_apart_on_disk)
{
    keeps_partitions_apart(true);
}

Test(store, in_memory_forgets_deleted_rows)
{
    struct place place;
    place_open(&place, false);
    const struct store_type *type = place.store->type;
    for (int i = 0; i < 100000; i++) {
        char key[32];
        const int size = snprintf(key, sizeof key, "\1key-%d", i);
        struct store_row row = { bytes_of(key, (size_t)size), BYTES_LITERAL("value") };
        cr_assert_eq(type->write(place.partition, &row, 1, BYTES_NONE, NULL), ST_OK);
        row.value = BYTES_NONE;
        cr_assert_eq(type->write(place.partition, &row, 1, BYTES_NONE, NULL), ST_OK);
    }
    cr_assert_lt(type->bytes_used(place.partition), 1 << 20);
    place_close(&place);
}
