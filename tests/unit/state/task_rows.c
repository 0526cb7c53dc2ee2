#include "task_rows.h"

#include <criterion/criterion.h>

#include "base/hash.h"
#include "base/memory.h"

void task_rows_open(struct task_rows *rows, const struct overlay_options *options)
{
    *rows = (struct task_rows){ .options = *options };
    place_open(&rows->place, false);
    overlay_create(&rows->overlay, rows->place.partition, &rows->options);
    cr_assert_eq(layouts_open(&rows->layouts, rows->overlay, NULL), ST_OK);
}

void task_rows_close(struct task_rows *rows)
{
    layouts_close(&rows->layouts);
    overlay_destroy(&rows->overlay);
    place_close(&rows->place);
}

static void digest_bytes(struct task_rows *rows, struct bytes b)
{
    const uint64_t parts[] = { rows->digest, b.data == NULL,
                               hash64(b.data == NULL ? BYTES_LITERAL("") : b) };
    rows->digest = hash64(bytes_of(parts, sizeof parts));
}

/* Whole ones, whether they were put or have grown. */
static void digest_rows(struct task_rows *rows, struct bytes keys)
{
    struct reader in = reader_of(keys);
    while (reader_left(&in) > 0) {
        const struct bytes key = reader_run(&in);
        struct bytes value;
        cr_assert_eq(overlay_get(rows->overlay, key, &value, NULL), ST_OK);
        digest_bytes(rows, key);
        digest_bytes(rows, value);
    }
}

void task_rows_commit(struct task_rows *rows)
{
    const struct row_change *changes;
    struct buffer keys;
    size_t count;
    buffer_init(&keys);
    cr_assert_eq(layouts_prepare(rows->layouts, NULL), ST_OK);
    overlay_changes(rows->overlay, &changes, &count);
    for (size_t i = 0; i < count; i++) {
        buffer_put_run(&keys, changes[i].key);
        rows->appends += changes[i].position > 0;
    }
    overlay_commit(rows->overlay);
    layouts_commit(rows->layouts);
    digest_rows(rows, buffer_view(&keys));
    buffer_fini(&keys);
}

void task_rows_abort(struct task_rows *rows)
{
    overlay_abort(rows->overlay);
    layouts_abort(rows->layouts);
}

static int compare_rows(const void *a, const void *b)
{
    return bytes_compare(((const struct store_row *)a)->key, ((const struct store_row *)b)->key);
}

static void write_frozen(struct task_rows *rows)
{
    const size_t count = overlay_frozen_count(rows->overlay);
    struct store_row *sorted = mem_alloc_array(count + 1, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = overlay_frozen_row(rows->overlay, i);
    qsort(sorted, count, sizeof *sorted, compare_rows);
    struct store_partition *partition = rows->place.partition;
    cr_assert_eq(partition->type->write(partition, sorted, count, BYTES_NONE, NULL), ST_OK);
    mem_free(sorted);
}

void task_rows_checkpoint_step(struct task_rows *rows, struct prng *prng)
{
    const bool give_up = prng_chance(prng, 1, 4);
    if (!overlay_is_frozen(rows->overlay)) {
        overlay_freeze(rows->overlay);
    } else if (give_up) {
        overlay_unfreeze(rows->overlay);
    } else {
        write_frozen(rows);
        overlay_thaw(rows->overlay);
    }
}

void task_rows_restart(struct task_rows *rows)
{
    if (overlay_is_frozen(rows->overlay))
        overlay_unfreeze(rows->overlay);
    overlay_freeze(rows->overlay);
    write_frozen(rows);
    overlay_thaw(rows->overlay);
    layouts_close(&rows->layouts);
    overlay_destroy(&rows->overlay);
    place_reopen(&rows->place);
    overlay_create(&rows->overlay, rows->place.partition, &rows->options);
    cr_assert_eq(layouts_open(&rows->layouts, rows->overlay, NULL), ST_OK);
}

void task_rows_get(struct task_rows *rows, struct bytes key, struct buffer *out)
{
    struct bytes value;
    cr_assert_eq(overlay_get(rows->overlay, key, &value, NULL), ST_OK);
    cr_assert_not_null(value.data, "the row is missing");
    buffer_clear(out);
    buffer_put_bytes(out, value);
}

void task_rows_each(struct task_rows *rows, store_row_fn *each, void *context)
{
    static const uint8_t first = 1;
    cr_assert_eq(overlay_scan(rows->overlay, bytes_of(&first, 1), BYTES_NONE, each, context, NULL),
                 ST_OK);
}
