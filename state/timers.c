#include "state/timers.h"

#include "base/ensure.h"
#include "base/memory.h"
#include "state/keys.h"

struct timers {
    struct overlay *overlay;
    int64_t earliest_us; /* nothing is due before; INT64_MIN: not known */
    struct buffer key;
    struct buffer due; /* what a call found: runs, each a row's key */
};

struct search {
    struct timers *timers;
    int64_t now_us;
    size_t left;
    int64_t next_us; /* the first that was not taken */
    bool damaged;
};

static bool take_due(void *context, struct bytes key, struct bytes value);
static enum status fire_one(struct timers *timers, struct bytes row_key, timer_fire_fn *fire,
                            void *context, struct error *err);

enum status timers_create(struct timers **out, struct overlay *borrowed, struct error *err)
{
    (void)err;
    ENSURE(*out == NULL);
    struct timers *timers = mem_alloc(sizeof *timers);
    timers->overlay = borrowed;
    timers->earliest_us = INT64_MIN;
    buffer_init(&timers->key);
    buffer_init(&timers->due);
    *out = timers;
    return ST_OK;
}

void timers_destroy(struct timers **timers)
{
    if (*timers == NULL)
        return;
    buffer_fini(&(*timers)->key);
    buffer_fini(&(*timers)->due);
    mem_free(*timers);
    *timers = NULL;
}

static void start_key(struct timers *timers, int64_t due_us)
{
    buffer_clear(&timers->key);
    buffer_put_u8(&timers->key, KEY_TIMER);
    key_put_signed(&timers->key, due_us);
}

enum status timers_add(struct timers *timers, int64_t due_us, enum timer_kind kind,
                       struct bytes key, struct error *err)
{
    start_key(timers, due_us);
    buffer_put_u8(&timers->key, (uint8_t)kind);
    buffer_put_bytes(&timers->key, key);
    TRY(overlay_put(timers->overlay, buffer_view(&timers->key), BYTES_LITERAL(""), err));
    if (due_us < timers->earliest_us)
        timers->earliest_us = due_us;
    return ST_OK;
}

enum status timers_fire(struct timers *timers, int64_t now_us, size_t max, timer_fire_fn *fire,
                        void *context, size_t *fired, struct error *err)
{
    static const uint8_t end[] = { KEY_TIMER + 1 };
    *fired = 0;
    if (now_us < timers->earliest_us)
        return ST_OK;

    struct search search = { timers, now_us, max, INT64_MAX, false };
    buffer_clear(&timers->due);
    start_key(timers, timers->earliest_us);
    TRY(overlay_scan(timers->overlay, buffer_view(&timers->key), bytes_of(end, sizeof end),
                     take_due, &search, err));
    if (search.damaged)
        return FAIL(err, ST_CORRUPT, "a timer's row is damaged");

    timers->earliest_us = search.next_us; /* `fire` may lower it */
    struct reader due = reader_of(buffer_view(&timers->due));
    while (reader_left(&due) > 0) {
        TRY(fire_one(timers, reader_run(&due), fire, context, err));
        ++*fired;
    }
    return ST_OK;
}

void timers_abort(struct timers *timers)
{
    timers->earliest_us = INT64_MIN;
}

/* Only notes them: a scan's callback must not change the overlay. */
static bool take_due(void *context, struct bytes key, struct bytes value)
{
    enum { KEY_SIZE_MIN = 1 + 8 + 1 };
    struct search *search = context;
    (void)value;
    if (key.size < KEY_SIZE_MIN) {
        search->damaged = true;
        return false;
    }
    struct reader in = reader_of(bytes_of(key.data + 1, key.size - 1));
    const int64_t due_us = key_read_signed(&in);
    if (due_us > search->now_us || search->left == 0) {
        search->next_us = due_us;
        return false;
    }
    search->left--;
    buffer_put_run(&search->timers->due, key);
    return true;
}

static enum status fire_one(struct timers *timers, struct bytes row_key, timer_fire_fn *fire,
                            void *context, struct error *err)
{
    struct reader in = reader_of(bytes_of(row_key.data + 1, row_key.size - 1));
    const int64_t due_us = key_read_signed(&in);
    const enum timer_kind kind = (enum timer_kind)reader_u8(&in);
    const struct bytes key = reader_take(&in, reader_left(&in));
    overlay_delete(timers->overlay, row_key);
    const enum status status = fire(context, due_us, kind, key, err);
    if (status != ST_OK)
        timers->earliest_us = INT64_MIN; /* the rest is still there */
    return status;
}
