#include "state/overlay.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "state/keys.h"
#include "state/row_cache.h"
#include "state/row_changes.h"

enum {
    LAYER_BLOCK_BYTES = 128 * 1024   /* lives for a checkpoint; mapped, so what is dropped is given back */
};

struct overlay {
    struct store_partition *partition;
    size_t row_bytes_max;
    uint32_t epoch;
    struct row_changes changes; /* of this transaction */
    struct row_map *active;     /* committed since the last checkpoint */
    struct row_map *frozen;  /* being checkpointed; NULL: nothing is */
    struct row_cache *cache;
    struct buffer fetched; /* what the last get read from the store */
};

static bool find_in_layers(const struct overlay *overlay, struct bytes key, struct bytes *value);
static bool is_cached(struct bytes key);
static void ensure_ours(struct bytes key);
static void merge_committed(struct overlay *overlay, uint32_t hash, const struct row_change *change);
static void replace_layer(struct row_map **layer);
static void settle(struct overlay *overlay, const struct row_change *change);

/* ---- stores -------------------------------------------------------------------------------- */

void overlay_create(struct overlay **out, struct store_partition *borrowed,
                    const struct overlay_options *options)
{
    ENSURE(*out == NULL);
    struct overlay *overlay = mem_alloc(sizeof *overlay);
    overlay->partition = borrowed;
    overlay->row_bytes_max =
        options->row_bytes_max == 0 ? OVERLAY_ROW_BYTES_MAX : options->row_bytes_max;
    overlay->epoch = 1;
    row_changes_init(&overlay->changes);
    row_map_create(&overlay->active, LAYER_BLOCK_BYTES);
    row_cache_create(&overlay->cache, options->cache_bytes);
    buffer_init(&overlay->fetched);
    *out = overlay;
}

void overlay_destroy(struct overlay **overlay)
{
    if (*overlay == NULL)
        return;
    row_changes_fini(&(*overlay)->changes);
    row_map_destroy(&(*overlay)->active);
    row_map_destroy(&(*overlay)->frozen);
    row_cache_destroy(&(*overlay)->cache);
    buffer_fini(&(*overlay)->fetched);
    mem_free(*overlay);
    *overlay = NULL;
}

enum status overlay_get(struct overlay *overlay, struct bytes key, struct bytes *value,
                        struct error *err)
{
    ensure_ours(key);
    struct row_change change;
    if (overlay->changes.grown_count > 0 && row_changes_find(&overlay->changes, key, &change) && change.position > 0)
        settle(overlay, &change);
    if (find_in_layers(overlay, key, value) || (is_cached(key) && row_cache_get(overlay->cache, key, value)))
        return ST_OK;

    bool found = false;
    buffer_clear(&overlay->fetched);
    TRY(overlay->partition->type->get(overlay->partition, key, &overlay->fetched, &found, err));
    *value = found ? buffer_view(&overlay->fetched) : BYTES_NONE;
    if (is_cached(key))
        row_cache_put(overlay->cache, key, *value);
    return ST_OK;
}

enum status overlay_put(struct overlay *overlay, struct bytes key, struct bytes value,
                        struct error *err)
{
    ensure_ours(key);
    ENSURE(value.data != NULL);
    if (key.size > OVERLAY_KEY_BYTES_MAX)
        return FAIL(err, ST_TOO_LARGE, "a row's key would have %zu bytes, at most %d are possible",
                    key.size, OVERLAY_KEY_BYTES_MAX);
    if (key.size + value.size > overlay->row_bytes_max)
        return FAIL(err, ST_TOO_LARGE, "a row would have %zu bytes, at most %zu are possible",
                    key.size + value.size, overlay->row_bytes_max);
    row_changes_put(&overlay->changes, key, value);
    return ST_OK;
}

bool overlay_append(struct overlay *overlay, struct bytes key, size_t position, struct bytes more)
{
    ensure_ours(key);
    ENSURE(position > 0 && more.data != NULL);
    return key.size + position + more.size <= overlay->row_bytes_max &&
           row_changes_append(&overlay->changes, key, position, more);
}

uint32_t overlay_epoch(const struct overlay *overlay)
{
    return overlay->epoch;
}

/* Somebody asks for a row that grew: it is whole from now on. */
static void settle(struct overlay *overlay, const struct row_change *change)
{
    struct bytes before;
    const bool found = row_map_get(overlay->active, change->key, &before);
    ENSURE(found && before.size == change->position);
    buffer_clear(&overlay->fetched);
    buffer_put_bytes(&overlay->fetched, before);
    buffer_put_bytes(&overlay->fetched, change->value);
    row_changes_put(&overlay->changes, change->key, buffer_view(&overlay->fetched));
}

static void settle_all(struct overlay *overlay)
{
    for (size_t i = 0; overlay->changes.grown_count > 0; i++) {
        const struct row_change change = row_changes_at(&overlay->changes, i);
        if (change.position > 0)
            settle(overlay, &change);
    }
}

void overlay_delete(struct overlay *overlay, struct bytes key)
{
    ensure_ours(key);
    /* A larger key was never put, here or in any process before, so there is nothing to delete. */
    if (key.size <= OVERLAY_KEY_BYTES_MAX)
        row_changes_put(&overlay->changes, key, BYTES_NONE);
}

static bool find_in_layers(const struct overlay *overlay, struct bytes key, struct bytes *value)
{
    return row_map_get(overlay->changes.values, key, value) || row_map_get(overlay->active, key, value) ||
           (overlay->frozen != NULL && row_map_get(overlay->frozen, key, value));
}

/* Entities are kept loaded; their rows would take the room of others, and each commit would look for them here. */
static bool is_cached(struct bytes key)
{
    return key.data[0] != KEY_ENTITY_LOG;
}

static void ensure_ours(struct bytes key)
{
    ENSURE(key.size > 0 && key.data[0] != 0);
}

/* ---- scan ---------------------------------------------------------------------------------- */

enum { LAYERS_MAX = 3 };

/* One cursor per layer, the newest first; the store's rows come by themselves. */
struct merge {
    struct row_map_cursor layers[LAYERS_MAX];
    int layer_count;
    store_row_fn *each;
    void *context;
    bool stopped;
};

static void add_layer(struct merge *merge, struct row_map *map, struct bytes from, struct bytes to);
static bool peek_smallest(const struct merge *merge, struct store_row *row);
static void pass(struct merge *merge, struct bytes key);
static void emit_before(struct merge *merge, struct bytes limit);
static bool on_stored_row(void *context, struct bytes key, struct bytes value);

enum status overlay_scan(struct overlay *overlay, struct bytes from, struct bytes to,
                         store_row_fn *each, void *context, struct error *err)
{
    struct merge merge = { .each = each, .context = context };
    settle_all(overlay);
    add_layer(&merge, overlay->changes.values, from, to);
    add_layer(&merge, overlay->active, from, to);
    add_layer(&merge, overlay->frozen, from, to);
    TRY(overlay->partition->type->scan(overlay->partition, from, to, on_stored_row, &merge, err));
    emit_before(&merge, BYTES_NONE);
    return ST_OK;
}

static void add_layer(struct merge *merge, struct row_map *map, struct bytes from, struct bytes to)
{
    if (map != NULL && row_map_count(map) > 0)
        row_map_seek(&merge->layers[merge->layer_count++], map, from, to);
}

static bool on_stored_row(void *context, struct bytes key, struct bytes value)
{
    struct merge *merge = context;
    struct store_row newer;
    emit_before(merge, key);
    if (merge->stopped)
        return false;
    if (peek_smallest(merge, &newer) && bytes_compare(newer.key, key) == 0) {
        value = newer.value;
        pass(merge, key);
    }
    if (value.data != NULL && !merge->each(merge->context, key, value))
        merge->stopped = true;
    return !merge->stopped;
}

/* Hands out the layers' rows with smaller keys; all of them when there is no limit. */
static void emit_before(struct merge *merge, struct bytes limit)
{
    struct store_row row;
    while (!merge->stopped && peek_smallest(merge, &row)) {
        if (limit.data != NULL && bytes_compare(row.key, limit) >= 0)
            return;
        pass(merge, row.key);
        if (row.value.data != NULL && !merge->each(merge->context, row.key, row.value))
            merge->stopped = true;
    }
}

/* The smallest key with the value of the newest layer that has it. */
static bool peek_smallest(const struct merge *merge, struct store_row *row)
{
    bool found = false;
    for (int i = 0; i < merge->layer_count; i++) {
        struct store_row candidate;
        if (!row_map_peek(&merge->layers[i], &candidate))
            continue;
        if (!found || bytes_compare(candidate.key, row->key) < 0)
            *row = candidate;
        found = true;
    }
    return found;
}

static void pass(struct merge *merge, struct bytes key)
{
    for (int i = 0; i < merge->layer_count; i++) {
        struct store_row row;
        if (row_map_peek(&merge->layers[i], &row) && bytes_compare(row.key, key) == 0)
            row_map_next(&merge->layers[i]);
    }
}

/* ---- the transaction ----------------------------------------------------------------------- */

void overlay_changes(struct overlay *overlay, const struct row_change **changes, size_t *count)
{
    *changes = row_changes_all(&overlay->changes);
    *count = row_changes_count(&overlay->changes);
}

uint64_t overlay_changes_bytes(const struct overlay *overlay)
{
    return row_map_bytes(overlay->changes.values);
}

static void merge_number(struct overlay *overlay, size_t i)
{
    const struct row_change change = row_changes_at(&overlay->changes, i);
    merge_committed(overlay, row_changes_hash(&overlay->changes, i), &change);
}

void overlay_commit(struct overlay *overlay)
{
    enum { APART = 6, RING = 32 };
    uint32_t numbers[RING];
    struct row_map *active = overlay->active;
    const size_t count = row_changes_count(&overlay->changes);
    for (size_t i = 0; i < count + 4 * APART; i++) {
        /* Each row on its way into the processor's cache; before the first one they wrap round. */
        const size_t peeked = i - APART, fetched = i - 2 * APART, ended = i - 3 * APART, merged = i - 4 * APART;
        if (i < count)
            row_map_expect_hash(active, row_changes_hash(&overlay->changes, i));
        if (peeked < count)
            numbers[peeked % RING] = row_map_peek_number(active, row_changes_hash(&overlay->changes, peeked));
        if (fetched < count)
            row_map_prefetch_row(active, numbers[fetched % RING]);
        if (ended < count)
            row_map_prefetch_end(active, numbers[ended % RING]);
        if (merged < count)
            merge_number(overlay, merged);
    }
    row_changes_clear(&overlay->changes);
}

void overlay_abort(struct overlay *overlay)
{
    row_changes_clear(&overlay->changes);
}

static void grow_committed(struct overlay *overlay, uint32_t hash, const struct row_change *change)
{
    row_map_grow_expected(overlay->active, hash, change->key, change->position, change->value);
    if (!is_cached(change->key))
        return;
    struct bytes whole;
    ENSURE(row_map_get(overlay->active, change->key, &whole));
    row_cache_update(overlay->cache, change->key, whole);
}

/* The cache would otherwise answer with the old value once the layers above it are gone. */
static void merge_committed(struct overlay *overlay, uint32_t hash, const struct row_change *change)
{
    if (change->position > 0)
        return grow_committed(overlay, hash, change);
    row_map_put_expected(overlay->active, hash, change->key, change->value);
    if (is_cached(change->key))
        row_cache_update(overlay->cache, change->key, change->value);
}

/* ---- checkpoints --------------------------------------------------------------------------- */

void overlay_replay(struct overlay *overlay, struct bytes key, struct bytes value)
{
    ensure_ours(key);
    ENSURE(row_changes_count(&overlay->changes) == 0);
    const struct row_change change = { key, value, 0 };
    merge_committed(overlay, row_map_expect(overlay->active, key), &change);
}

enum status overlay_replay_append(struct overlay *overlay, struct bytes key, size_t position, struct bytes more,
                                  bool *fits, struct error *err)
{
    struct bytes before;
    ensure_ours(key);
    ENSURE(row_changes_count(&overlay->changes) == 0 && position > 0);
    TRY(overlay_get(overlay, key, &before, err));
    *fits = before.data != NULL && before.size == position;
    if (!*fits)
        return ST_OK;
    const uint32_t hash = row_map_expect(overlay->active, key);
    if (row_map_number(overlay->active, hash, key) == ROW_NUMBER_NONE)
        row_map_put_expected(overlay->active, hash, key, before);
    const struct row_change change = { key, more, position };
    merge_committed(overlay, hash, &change);
    return ST_OK;
}

uint64_t overlay_active_bytes(const struct overlay *overlay)
{
    return row_map_bytes(overlay->active);
}

size_t overlay_active_count(const struct overlay *overlay)
{
    return row_map_count(overlay->active);
}

uint64_t overlay_frozen_bytes(const struct overlay *overlay)
{
    return overlay->frozen == NULL ? 0 : row_map_bytes(overlay->frozen);
}

void overlay_freeze(struct overlay *overlay)
{
    ENSURE(overlay->frozen == NULL);
    settle_all(overlay); /* what it builds on is frozen now */
    overlay->epoch++;
    overlay->frozen = TAKE(overlay->active);
    row_map_create(&overlay->active, LAYER_BLOCK_BYTES);
}

bool overlay_is_frozen(const struct overlay *overlay)
{
    return overlay->frozen != NULL;
}

size_t overlay_frozen_count(const struct overlay *overlay)
{
    return overlay->frozen == NULL ? 0 : row_map_count(overlay->frozen);
}

struct store_row overlay_frozen_row(const struct overlay *overlay, size_t i)
{
    ENSURE(overlay->frozen != NULL);
    return row_map_row(overlay->frozen, i);
}

void overlay_thaw(struct overlay *overlay)
{
    ENSURE(overlay->frozen != NULL);
    row_map_destroy(&overlay->frozen);
}

void overlay_unfreeze(struct overlay *overlay)
{
    ENSURE(overlay->frozen != NULL);
    for (size_t i = 0; i < row_map_count(overlay->active); i++) {
        const struct store_row newer = row_map_row(overlay->active, i);
        row_map_put(overlay->frozen, newer.key, newer.value);
    }
    row_map_destroy(&overlay->active);
    overlay->active = TAKE(overlay->frozen);
}

void overlay_clear(struct overlay *overlay)
{
    overlay->epoch++;
    row_changes_clear(&overlay->changes);
    replace_layer(&overlay->active);
    row_map_destroy(&overlay->frozen);
    row_cache_clear(overlay->cache);
}

uint64_t overlay_footprint(const struct overlay *overlay)
{
    return row_changes_footprint(&overlay->changes) + row_map_footprint(overlay->active) +
           (overlay->frozen == NULL ? 0 : row_map_footprint(overlay->frozen)) +
           row_cache_bytes(overlay->cache) + overlay->fetched.capacity;
}

/* A new one: the old one's memory goes back. */
static void replace_layer(struct row_map **layer)
{
    row_map_destroy(layer);
    row_map_create(layer, LAYER_BLOCK_BYTES);
}
