#include "state/dedupe.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "state/keys.h"

enum {
    STREAMS_MAX = 0x80,
    HASH_SIZE = 16,
    LIST_BYTES_MAX = 4096 * HASH_SIZE,
    EXPIRED_IDS_MIN = 4096
};
static const int64_t minute_us = INT64_C(60) * 1000 * 1000;

/* The ids of one minute that were added since the last flush. */
struct id_list {
    int64_t minute;
    uint64_t sequence;
    struct buffer hashes;
};

/* What an id's row says. */
struct sighting {
    bool exists;
    int64_t time_us;
    uint64_t sequence;
};

struct dedupe {
    uint8_t stream;
    int64_t span_us;
    struct overlay *overlay;
    bool is_loaded; /* the next three are those of the overlay, or newer */
    bool is_changed;
    int64_t newest_us; /* INT64_MIN: no event yet */
    uint64_t next_sequence;
    int64_t first_minute;  /* no list in the overlay is older; INT64_MIN: not known */
    struct id_list *lists; /* by minute */
    size_t list_count;
    size_t list_capacity;
    size_t added; /* ids since the last flush */
    struct hash128 checked_id; /* the last check's, and what it found */
    struct sighting checked;
    struct buffer key;
    struct buffer value;
};

static enum status load(struct dedupe *dedupe, struct error *err);
static enum status find_sighting(struct dedupe *dedupe, struct hash128 id, struct sighting *out,
                                 struct error *err);
static enum status remember(struct dedupe *dedupe, struct hash128 id, int64_t time_us,
                            struct error *err);
static enum status unlist(struct dedupe *dedupe, struct hash128 id, const struct sighting *old,
                          struct error *err);
static void put_list_key(const struct dedupe *dedupe, int64_t minute, uint64_t sequence,
                         struct buffer *out);
static enum status write_list(struct dedupe *dedupe, const struct id_list *list, struct error *err);
static void clear_lists(struct dedupe *dedupe);
static enum status corrupt(struct error *err);

enum status dedupe_create(struct dedupe **out, uint8_t stream, int64_t span_us,
                          struct overlay *borrowed, struct error *err)
{
    (void)err;
    ENSURE(*out == NULL);
    ENSURE(stream < STREAMS_MAX && span_us > 0);
    struct dedupe *dedupe = mem_alloc(sizeof *dedupe);
    dedupe->stream = stream;
    dedupe->span_us = span_us;
    dedupe->overlay = borrowed;
    dedupe->first_minute = INT64_MIN;
    *out = dedupe; /* zeroed buffers are empty buffers */
    return ST_OK;
}

void dedupe_destroy(struct dedupe **dedupe)
{
    if (*dedupe == NULL)
        return;
    clear_lists(*dedupe);
    mem_free((*dedupe)->lists);
    buffer_fini(&(*dedupe)->key);
    buffer_fini(&(*dedupe)->value);
    mem_free(*dedupe);
    *dedupe = NULL;
}

static int64_t minus(int64_t time_us, int64_t span_us)
{
    int64_t difference = 0;
    return __builtin_sub_overflow(time_us, span_us, &difference) ? INT64_MIN : difference;
}

static bool are_within(int64_t a_us, int64_t b_us, int64_t span_us)
{
    const int64_t older_us = a_us < b_us ? a_us : b_us;
    const int64_t newer_us = a_us < b_us ? b_us : a_us;
    return older_us >= minus(newer_us, span_us);
}

static int64_t minute_of(int64_t time_us)
{
    return time_us / minute_us - (time_us % minute_us < 0);
}

static void advance(struct dedupe *dedupe, int64_t time_us)
{
    if (time_us <= dedupe->newest_us)
        return;
    dedupe->newest_us = time_us;
    dedupe->is_changed = true;
}

enum status dedupe_check(struct dedupe *dedupe, struct hash128 id, int64_t time_us, bool *duplicate,
                         struct error *err)
{
    struct sighting old;
    TRY(load(dedupe, err));
    TRY(find_sighting(dedupe, id, &old, err));
    dedupe->checked_id = id;
    dedupe->checked = old;
    *duplicate = old.exists && old.time_us >= minus(dedupe->newest_us, dedupe->span_us) &&
                 are_within(old.time_us, time_us, dedupe->span_us);
    if (*duplicate)
        advance(dedupe, time_us);
    return ST_OK;
}

enum status dedupe_remember(struct dedupe *dedupe, struct hash128 id, int64_t time_us,
                            struct error *err)
{
    ENSURE(id.high == dedupe->checked_id.high && id.low == dedupe->checked_id.low);
    const struct sighting old = dedupe->checked;
    advance(dedupe, time_us);
    /* An event so late would never count. */
    if (time_us < minus(dedupe->newest_us, dedupe->span_us))
        return ST_OK;
    if (old.exists)
        TRY(unlist(dedupe, id, &old, err));
    return remember(dedupe, id, time_us, err);
}

void dedupe_prefetch_key(const struct dedupe *dedupe, struct hash128 id, struct buffer *out)
{
    buffer_put_u8(out, KEY_DEDUPE);
    buffer_put_u8(out, dedupe->stream);
    buffer_put_be64(out, id.high);
    buffer_put_be64(out, id.low);
}

/* ---- rows ---------------------------------------------------------------------------------- */

static struct bytes id_key(struct dedupe *dedupe, struct hash128 id)
{
    buffer_clear(&dedupe->key);
    dedupe_prefetch_key(dedupe, id, &dedupe->key);
    return buffer_view(&dedupe->key);
}

static struct bytes list_key(struct dedupe *dedupe, int64_t minute, uint64_t sequence)
{
    buffer_clear(&dedupe->key);
    put_list_key(dedupe, minute, sequence, &dedupe->key);
    return buffer_view(&dedupe->key);
}

static struct bytes counter_key(struct dedupe *dedupe)
{
    buffer_clear(&dedupe->key);
    buffer_put_u8(&dedupe->key, KEY_DEDUPE);
    buffer_put_u8(&dedupe->key, dedupe->stream | STREAMS_MAX);
    return buffer_view(&dedupe->key);
}

static void put_list_key(const struct dedupe *dedupe, int64_t minute, uint64_t sequence,
                         struct buffer *out)
{
    buffer_put_u8(out, KEY_DEDUPE);
    buffer_put_u8(out, dedupe->stream | STREAMS_MAX);
    key_put_signed(out, minute);
    buffer_put_be64(out, sequence);
}

static enum status load(struct dedupe *dedupe, struct error *err)
{
    if (dedupe->is_loaded)
        return ST_OK;
    struct bytes value;
    TRY(overlay_get(dedupe->overlay, counter_key(dedupe), &value, err));
    dedupe->newest_us = INT64_MIN;
    dedupe->next_sequence = 0;
    if (value.data != NULL) {
        struct reader in = reader_of(value);
        dedupe->newest_us = reader_zigzag(&in);
        dedupe->next_sequence = reader_varint(&in);
        if (!reader_done(&in))
            return corrupt(err);
    }
    dedupe->is_loaded = true;
    dedupe->is_changed = false;
    return ST_OK;
}

static enum status find_sighting(struct dedupe *dedupe, struct hash128 id, struct sighting *out,
                                 struct error *err)
{
    struct bytes value;
    *out = (struct sighting){ 0 };
    TRY(overlay_get(dedupe->overlay, id_key(dedupe, id), &value, err));
    if (value.data == NULL)
        return ST_OK;
    struct reader in = reader_of(value);
    out->exists = true;
    out->time_us = reader_zigzag(&in);
    out->sequence = reader_varint(&in);
    return reader_done(&in) ? ST_OK : corrupt(err);
}

/* ---- lists --------------------------------------------------------------------------------- */

/* Where the list of the minute is, or belongs. */
static size_t list_position(const struct dedupe *dedupe, int64_t minute)
{
    size_t low = 0, high = dedupe->list_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (dedupe->lists[middle].minute < minute)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct id_list *find_list(struct dedupe *dedupe, int64_t minute)
{
    const size_t at = list_position(dedupe, minute);
    const bool found = at < dedupe->list_count && dedupe->lists[at].minute == minute;
    return found ? &dedupe->lists[at] : NULL;
}

static struct id_list *add_list(struct dedupe *dedupe, int64_t minute)
{
    const size_t at = list_position(dedupe, minute);
    if (dedupe->list_count == dedupe->list_capacity) {
        dedupe->list_capacity = dedupe->list_capacity == 0 ? 4 : 2 * dedupe->list_capacity;
        dedupe->lists =
            mem_resize_array(dedupe->lists, dedupe->list_capacity, sizeof *dedupe->lists);
    }
    memmove(&dedupe->lists[at + 1], &dedupe->lists[at],
            (dedupe->list_count - at) * sizeof *dedupe->lists);
    dedupe->list_count++;
    dedupe->lists[at] = (struct id_list){ .minute = minute, .sequence = dedupe->next_sequence++ };
    dedupe->is_changed = true;
    return &dedupe->lists[at];
}

static void put_hash(struct buffer *out, struct hash128 id)
{
    buffer_put_be64(out, id.high);
    buffer_put_be64(out, id.low);
}

static enum status remember(struct dedupe *dedupe, struct hash128 id, int64_t time_us,
                            struct error *err)
{
    const int64_t minute = minute_of(time_us);
    struct id_list *list = find_list(dedupe, minute);
    if (list == NULL)
        list = add_list(dedupe, minute);
    put_hash(&list->hashes, id);
    dedupe->added++;

    buffer_clear(&dedupe->value);
    buffer_put_zigzag(&dedupe->value, time_us);
    buffer_put_varint(&dedupe->value, list->sequence);
    TRY(overlay_put(dedupe->overlay, id_key(dedupe, id), buffer_view(&dedupe->value), err));
    if (list->hashes.size < LIST_BYTES_MAX)
        return ST_OK;
    TRY(write_list(dedupe, list, err));
    buffer_clear(&list->hashes);
    list->sequence = dedupe->next_sequence++;
    return ST_OK;
}

static enum status write_list(struct dedupe *dedupe, const struct id_list *list, struct error *err)
{
    const struct bytes key = list_key(dedupe, list->minute, list->sequence);
    if (list->minute < dedupe->first_minute)
        dedupe->first_minute = list->minute;
    if (list->hashes.size == 0) {
        overlay_delete(dedupe->overlay, key);
        return ST_OK;
    }
    return overlay_put(dedupe->overlay, key, buffer_view(&list->hashes), err);
}

/* false when it is not there. */
static bool remove_hash(struct buffer *hashes, struct hash128 id)
{
    AUTO(buffer_fini) struct buffer wanted = { 0 };
    put_hash(&wanted, id);
    for (size_t at = 0; at + HASH_SIZE <= hashes->size; at += HASH_SIZE) {
        if (memcmp(hashes->data + at, wanted.data, HASH_SIZE) != 0)
            continue;
        hashes->size -= HASH_SIZE;
        memmove(hashes->data + at, hashes->data + hashes->size, HASH_SIZE);
        return true;
    }
    return false;
}

/* The id counts anew: forgetting its old list must not forget it. Rare: it had not been
 * forgotten yet. */
static enum status unlist(struct dedupe *dedupe, struct hash128 id, const struct sighting *old,
                          struct error *err)
{
    const int64_t minute = minute_of(old->time_us);
    struct id_list *pending = find_list(dedupe, minute);
    if (pending != NULL && pending->sequence == old->sequence)
        return remove_hash(&pending->hashes, id) ? ST_OK : corrupt(err);

    struct bytes value;
    TRY(overlay_get(dedupe->overlay, list_key(dedupe, minute, old->sequence), &value, err));
    AUTO(buffer_fini) struct buffer hashes = { 0 };
    buffer_put_bytes(&hashes, value);
    if (!remove_hash(&hashes, id))
        return corrupt(err);
    const struct id_list rest = { minute, old->sequence, hashes };
    return write_list(dedupe, &rest, err);
}

/* ---- forgetting ---------------------------------------------------------------------------- */

struct expiry {
    struct buffer rows; /* of the lists: run key, run hashes */
    size_t id_count;
    size_t id_count_max;
    bool is_full;
    int64_t next_minute; /* of the first list that was not taken */
    bool is_damaged;
};

static bool take_list(void *context, struct bytes key, struct bytes value)
{
    struct expiry *expiry = context;
    struct reader in = reader_of(bytes_of(key.data + 2, key.size - 2));
    const int64_t minute = key_read_signed(&in);
    (void)reader_be64(&in);
    if (!reader_done(&in) || value.size == 0 || value.size % HASH_SIZE != 0) {
        expiry->is_damaged = true;
        return false;
    }
    if (expiry->id_count >= expiry->id_count_max) {
        expiry->is_full = true;
        expiry->next_minute = minute;
        return false;
    }
    expiry->id_count += value.size / HASH_SIZE;
    buffer_put_run(&expiry->rows, key);
    buffer_put_run(&expiry->rows, value);
    return true;
}

static void forget_lists(struct dedupe *dedupe, struct bytes rows)
{
    struct reader in = reader_of(rows);
    while (reader_left(&in) > 0) {
        overlay_delete(dedupe->overlay, reader_run(&in));
        struct reader hashes = reader_of(reader_run(&in));
        while (reader_left(&hashes) > 0) {
            const uint64_t high = reader_be64(&hashes);
            const uint64_t low = reader_be64(&hashes);
            overlay_delete(dedupe->overlay, id_key(dedupe, (struct hash128){ high, low }));
        }
    }
}

enum status dedupe_expire(struct dedupe *dedupe, int64_t stream_time_us, struct error *err)
{
    TRY(load(dedupe, err));
    const int64_t now_us = stream_time_us < dedupe->newest_us ? stream_time_us : dedupe->newest_us;
    const int64_t end_minute = minute_of(minus(now_us, dedupe->span_us));
    if (now_us == INT64_MIN || dedupe->first_minute >= end_minute)
        return ST_OK;

    struct expiry expiry = { .id_count_max = EXPIRED_IDS_MIN + 2 * dedupe->added };
    AUTO(buffer_fini) struct buffer from = { 0 };
    put_list_key(dedupe, dedupe->first_minute, 0, &from);
    enum status status = overlay_scan(dedupe->overlay, buffer_view(&from),
                                      list_key(dedupe, end_minute, 0), take_list, &expiry, err);
    if (status == ST_OK && expiry.is_damaged)
        status = corrupt(err);
    if (status == ST_OK) {
        forget_lists(dedupe, buffer_view(&expiry.rows));
        dedupe->first_minute = expiry.is_full ? expiry.next_minute : end_minute;
    }
    buffer_fini(&expiry.rows);
    return status;
}

/* ---- the transaction ----------------------------------------------------------------------- */

enum status dedupe_flush(struct dedupe *dedupe, struct error *err)
{
    for (size_t i = 0; i < dedupe->list_count; i++)
        if (dedupe->lists[i].hashes.size > 0)
            TRY(write_list(dedupe, &dedupe->lists[i], err));
    clear_lists(dedupe);
    if (!dedupe->is_changed)
        return ST_OK;
    buffer_clear(&dedupe->value);
    buffer_put_zigzag(&dedupe->value, dedupe->newest_us);
    buffer_put_varint(&dedupe->value, dedupe->next_sequence);
    TRY(overlay_put(dedupe->overlay, counter_key(dedupe), buffer_view(&dedupe->value), err));
    dedupe->is_changed = false;
    return ST_OK;
}

void dedupe_commit(struct dedupe *dedupe)
{
    ENSURE(dedupe->list_count == 0 && (!dedupe->is_loaded || !dedupe->is_changed));
}

void dedupe_abort(struct dedupe *dedupe)
{
    clear_lists(dedupe);
    dedupe->is_loaded = false;
    dedupe->is_changed = false;
    dedupe->first_minute = INT64_MIN;
}

static void clear_lists(struct dedupe *dedupe)
{
    for (size_t i = 0; i < dedupe->list_count; i++)
        buffer_fini(&dedupe->lists[i].hashes);
    dedupe->list_count = 0;
    dedupe->added = 0;
}

static enum status corrupt(struct error *err)
{
    return FAIL(err, ST_CORRUPT, "the rows that remember seen ids are damaged");
}
