#include "state/event_chunk.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { US_PER_MS = 1000 };

void event_chunk_fini(struct event_chunk *chunk)
{
    mem_free(chunk->room);
    *chunk = (struct event_chunk){ .count = 0 };
}

size_t event_chunk_upper_bound(const struct event_chunk *chunk, int64_t time_us)
{
    size_t low = 0, high = chunk->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (event_chunk_time(chunk, middle) <= time_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint8_t *entry(struct event_chunk *chunk, size_t i)
{
    return chunk->room + i * chunk->entry_size;
}

static uint8_t *end_of(const struct event_chunk *chunk)
{
    return chunk->room + chunk->room_size;
}

/* --- room ------------------------------------------------------------------------------------- */

static size_t facts_size(const struct event_chunk *chunk)
{
    return chunk->facts == NULL ? 0 : chunk->facts->sizes[chunk->facts_width];
}

static void set_entry_size(struct event_chunk *chunk)
{
    static const uint8_t sizes[] = { [PLACE_BARE] = BARE_PLACE_SIZE,
                                     [PLACE_NARROW] = sizeof(struct narrow_place),
                                     [PLACE_WIDE] = sizeof(struct event_place) };
    chunk->place_size = sizes[chunk->places] & 31U;
    chunk->entry_size = (uint16_t)(chunk->place_size + facts_size(chunk));
}

static size_t needed(const struct event_chunk *chunk, size_t count, size_t rest_bytes)
{
    return count * chunk->entry_size + FACT_READ_AHEAD + rest_bytes;
}

/* The rests stay at the end. */
static void resize(struct event_chunk *chunk, size_t size)
{
    ENSURE(size <= UINT32_MAX && size >= needed(chunk, chunk->count, chunk->rest_used));
    if (size < chunk->room_size)
        memmove(chunk->room + size - chunk->rest_used, end_of(chunk) - chunk->rest_used, chunk->rest_used);
    chunk->room = mem_resize_array(chunk->room, size, 1);
    if (size > chunk->room_size && chunk->rest_used > 0)
        memmove(chunk->room + size - chunk->rest_used, end_of(chunk) - chunk->rest_used, chunk->rest_used);
    chunk->room_size = (uint32_t)size;
}

/* Without what is in the old one, which the caller keeps. */
static void new_room(struct event_chunk *chunk, size_t size)
{
    ENSURE(size <= UINT32_MAX);
    chunk->room = mem_alloc(size);
    chunk->room_size = (uint32_t)size;
}

/* By little: there are as many chunks as entities, most of few events, and what lies idle in each is not there for others. */
enum { GROWTH_EVENTS = 3, GROWTH_BYTES_MAX = 112, GROWTH_SHARE = 16 };

__attribute__((noinline)) static void grow(struct event_chunk *chunk, size_t size, size_t rest_bytes)
{
    size_t more = GROWTH_EVENTS * (chunk->entry_size + rest_bytes);
    more = more < GROWTH_BYTES_MAX ? more : GROWTH_BYTES_MAX;
    more = more < size ? more : size;
    resize(chunk, size + more + size / GROWTH_SHARE);
}

static inline void reserve(struct event_chunk *chunk, size_t count, size_t rest_bytes)
{
    const size_t size = needed(chunk, chunk->count + count, chunk->rest_used + rest_bytes);
    if (size > chunk->room_size)
        grow(chunk, size, rest_bytes);
}

void event_chunk_reserve(struct event_chunk *chunk, enum place_form places, enum fact_width facts_width, size_t count,
                         size_t rest_bytes, size_t more)
{
    enum { REST_SLACK = 4 };
    ENSURE(chunk->room == NULL && chunk->count == 0);
    chunk->places = places & 3U;
    chunk->facts_width = facts_width & 3U;
    set_entry_size(chunk);
    const size_t more_rests = rest_bytes == 0 ? 0 : more * (rest_bytes / count + REST_SLACK);
    new_room(chunk, needed(chunk, count + more, rest_bytes + more_rests));
}

void event_chunk_give_back_room(struct event_chunk *chunk)
{
    const size_t size = needed(chunk, chunk->count, chunk->rest_used);
    if (chunk->room_size > size)
        resize(chunk, size);
}

/* --- bare, small, narrow, long and wide ------------------------------------------------------------- */

/* What the first event is put in as. */
static void start_over(struct event_chunk *chunk, int64_t time_us, int64_t offset, bool is_bare, const uint64_t *words)
{
    chunk->base_us = time_us;
    chunk->base_offset = offset;
    chunk->rest_used = chunk->rest_bytes = 0;
    chunk->places = is_bare ? PLACE_BARE : PLACE_NARROW;
    chunk->facts_width = chunk->facts == NULL || words == NULL ? FACTS_SMALL : fact_width_of(chunk->facts, words) & 3U;
    set_entry_size(chunk);
}

/* false: it needs a wide one. */
static inline bool narrow_place_of(const struct event_chunk *chunk, const struct event_place *place,
                                   struct narrow_place *out)
{
    const int64_t us = place->time_us - chunk->base_us, offset = place->offset - chunk->base_offset;
    const int64_t ms = us / US_PER_MS;
    *out = (struct narrow_place){ (int32_t)ms, (int32_t)offset, (uint16_t)place->at, (uint16_t)place->size };
    return ms * US_PER_MS == us && ms == out->ms && offset == out->offset && place->at <= UINT16_MAX &&
           place->size <= UINT16_MAX;
}

static void widen(struct event_chunk *chunk, enum place_form places, enum fact_width facts);

/* Turns the chunk wider if that is what the place takes. */
static inline void make_fit(struct event_chunk *chunk, const struct event_place *place, struct narrow_place *narrow)
{
    *narrow = (struct narrow_place){ .at = 0 };
    if (chunk->places == PLACE_WIDE)
        return;
    const enum place_form form = !narrow_place_of(chunk, place, narrow) ? PLACE_WIDE
                                 : place->size > 0                      ? PLACE_NARROW
                                                                        : PLACE_BARE;
    if (form > chunk->places)
        widen(chunk, form, chunk->facts_width);
}

static inline void put_place(struct event_chunk *chunk, size_t i, const struct event_place *place,
                             const struct narrow_place *narrow)
{
    if (chunk->places == PLACE_BARE)
        memcpy(entry(chunk, i), narrow, BARE_PLACE_SIZE);
    else if (chunk->places == PLACE_NARROW)
        memcpy(entry(chunk, i), narrow, sizeof *narrow);
    else
        memcpy(entry(chunk, i), place, sizeof *place);
}

/* Not of a bare one. */
static inline void put_at(struct event_chunk *chunk, size_t i, uint32_t at)
{
    const uint16_t narrow = (uint16_t)at;
    if (chunk->places == PLACE_NARROW)
        memcpy(entry(chunk, i) + offsetof(struct narrow_place, at), &narrow, sizeof narrow);
    else
        memcpy(entry(chunk, i) + offsetof(struct event_place, at), &at, sizeof at);
}

static inline void write_place(struct event_chunk *chunk, size_t i, const struct event_place *place)
{
    struct narrow_place narrow;
    make_fit(chunk, place, &narrow);
    put_place(chunk, i, place, &narrow);
}

static bool facts_fit(const struct event_chunk *chunk, enum fact_width width)
{
    bool fit = true;
    for (size_t i = 0; i < chunk->count && fit; i++) {
        const struct fact_view view = event_chunk_facts(chunk, i);
        fit = fact_fits(&view, width);
    }
    return fit;
}

/* The least wide facts that hold all events', and these words, where the chunk's own do not. */
static enum fact_width wider(const struct event_chunk *chunk, const uint64_t *words)
{
    enum fact_width width = chunk->facts_width + 1;
    while (width < FACTS_WIDE && !(fact_words_fit(chunk->facts, width, words) && facts_fit(chunk, width)))
        width++;
    return width;
}

static void write_facts(struct event_chunk *chunk, size_t i, const uint64_t *words)
{
    const struct fact_form *form = chunk->facts;
    if (form == NULL)
        return;
    uint8_t *at = entry(chunk, i) + chunk->place_size;
    if (chunk->facts_width != FACTS_WIDE) {
        if (fact_form_write(form, chunk->facts_width, words, at))
            return;
        memset(at, 0, facts_size(chunk)); /* which any facts can hold */
        widen(chunk, chunk->places, wider(chunk, words));
        at = entry(chunk, i) + chunk->place_size;
    }
    if (chunk->facts_width == FACTS_WIDE)
        memcpy(at, words, form->sizes[FACTS_WIDE]);
    else if (!fact_form_write(form, chunk->facts_width, words, at))
        UNREACHABLE();
}

static void read_words(const struct event_chunk *chunk, size_t i, uint64_t *words)
{
    if (chunk->facts == NULL)
        return;
    const struct fact_view view = event_chunk_facts(chunk, i);
    fact_words(&view, words);
}

static uint64_t *words_of(const struct event_chunk *chunk)
{
    return mem_alloc_array(chunk->facts == NULL ? 1 : chunk->facts->word_count, sizeof(uint64_t));
}

static void widen(struct event_chunk *chunk, enum place_form places, enum fact_width facts)
{
    const struct event_chunk before = *chunk;
    uint64_t *words = words_of(chunk);
    chunk->places = places & 3U;
    chunk->facts_width = facts & 3U;
    set_entry_size(chunk);
    const size_t least = needed(chunk, before.count, before.rest_used);
    new_room(chunk, least > before.room_size ? least : before.room_size);
    memcpy(end_of(chunk) - before.rest_used, end_of(&before) - before.rest_used, before.rest_used);
    for (size_t i = 0; i < before.count; i++) {
        const struct event_place place = event_chunk_place(&before, i);
        write_place(chunk, i, &place);
        read_words(&before, i, words);
        write_facts(chunk, i, words);
    }
    mem_free(before.room);
    mem_free(words);
}

/* As it would be if its events had just been put in. */
static void build_again(struct event_chunk *chunk)
{
    struct event_chunk before = *chunk;
    uint64_t *words = words_of(chunk);
    new_room(chunk, before.room_size);
    chunk->count = 0;
    for (size_t i = 0; i < before.count; i++) {
        const struct event_place place = event_chunk_place(&before, i);
        read_words(&before, i, words);
        event_chunk_insert(chunk, i, place.time_us, place.offset, event_chunk_rest(&before, i), words);
    }
    mem_free(before.room);
    mem_free(words);
    if (chunk->entry_size < before.entry_size)
        event_chunk_give_back_room(chunk);
}

/* Whether no event needs facts of this width any more. */
static bool facts_could_be_smaller(const struct event_chunk *chunk)
{
    bool could = false;
    for (enum fact_width width = FACTS_SMALL; width < chunk->facts_width && !could; width++)
        could = facts_fit(chunk, width);
    return could;
}

/* --- rests ------------------------------------------------------------------------------------ */

/* The rests lie in the order of the events, as they do until a late one comes or one is replaced. */
static bool is_in_order(const struct event_chunk *chunk)
{
    for (size_t i = 1; i < chunk->count && chunk->places != PLACE_BARE; i++) {
        if (event_chunk_place(chunk, i).at < event_chunk_place(chunk, i - 1).at)
            return false;
    }
    return true;
}

/* In order, from where its entries say that they lie before this end; that may be this room's, if they are in order. */
static void take_rests(struct event_chunk *chunk, const uint8_t *from_end)
{
    uint32_t size = 0;
    for (size_t i = 0; i < chunk->count && chunk->places != PLACE_BARE; i++) {
        const struct event_place place = event_chunk_place(chunk, i);
        size += place.size;
        memmove(end_of(chunk) - size, from_end - place.at, place.size);
        put_at(chunk, i, size);
    }
    chunk->rest_used = size;
}

/* Rewrites the rests in order, without what was replaced. In place if it can be: the open chunk does so each time one is
 * sealed, and its memory is as large as it will need again. */
static void compact(struct event_chunk *chunk)
{
    if (is_in_order(chunk))
        return take_rests(chunk, end_of(chunk));
    const size_t used = chunk->rest_used;
    uint8_t *before = mem_copy(end_of(chunk) - used, used);
    take_rests(chunk, before + used);
    mem_free(before);
}

/* There is room. */
static void put_rest(struct event_chunk *chunk, struct bytes rest)
{
    chunk->rest_used += (uint32_t)rest.size;
    chunk->rest_bytes += (uint32_t)rest.size;
    if (rest.size > 0)
        memcpy(end_of(chunk) - chunk->rest_used, rest.data, rest.size);
}

/* --- in and out ------------------------------------------------------------------------------- */

/* Moves all events from `from` on. */
static void move_events(struct event_chunk *chunk, size_t to, size_t from)
{
    if (from < chunk->count)
        memmove(entry(chunk, to), entry(chunk, from), (chunk->count - from) * chunk->entry_size);
}

void event_chunk_insert(struct event_chunk *chunk, size_t i, int64_t time_us, int64_t offset, struct bytes rest,
                        const uint64_t *words)
{
    ENSURE(chunk->loaded && !chunk->rests_away && i <= chunk->count);
    if (chunk->count == 0)
        start_over(chunk, time_us, offset, rest.size == 0, words);
    const struct event_place place = { time_us, offset, chunk->rest_used + (uint32_t)rest.size, (uint32_t)rest.size };
    struct narrow_place narrow;
    make_fit(chunk, &place, &narrow);
    reserve(chunk, 1, rest.size);
    move_events(chunk, i + 1, i);
    put_rest(chunk, rest);
    if (i == 0)
        chunk->base_is_first = time_us == chunk->base_us;
    if (i == chunk->count)
        chunk->last_us = time_us;
    chunk->count++;
    put_place(chunk, i, &place, &narrow);
    if (words != NULL)
        write_facts(chunk, i, words);
    else
        memset(entry(chunk, i) + chunk->place_size, 0, facts_size(chunk));
    chunk->dirty = true;
    if (i < chunk->written)
        chunk->written = 0;
}

void event_chunk_replace_rest(struct event_chunk *chunk, size_t i, struct bytes rest)
{
    ENSURE(chunk->loaded && !chunk->rests_away && i < chunk->count);
    struct event_place place = event_chunk_place(chunk, i);
    chunk->rest_bytes -= place.size;
    reserve(chunk, 0, rest.size);
    put_rest(chunk, rest);
    place.at = chunk->rest_used;
    place.size = (uint32_t)rest.size;
    write_place(chunk, i, &place);
    if (chunk->rest_used / 2 > chunk->rest_bytes)
        compact(chunk);
    chunk->dirty = true;
    if (i < chunk->written)
        chunk->written = 0;
}

/* What an entry that is not wide counts from the base. */
struct counted {
    int32_t ms, offset;
};
_Static_assert(sizeof(struct counted) == BARE_PLACE_SIZE, "it is all that a bare entry says of its place");

static inline struct counted counted_at(const struct event_chunk *chunk, size_t i)
{
    struct counted counted;
    memcpy(&counted, event_chunk_entry(chunk, i), sizeof counted);
    return counted;
}

/* false: it does not fit. */
static inline bool count_from(const struct counted *base, struct counted *counted)
{
    return !__builtin_sub_overflow(counted->ms, base->ms, &counted->ms) &&
           !__builtin_sub_overflow(counted->offset, base->offset, &counted->offset);
}

static bool can_count_from(const struct event_chunk *chunk, const struct counted *base)
{
    bool can = true;
    for (size_t i = 0; i < chunk->count && can; i++) {
        struct counted counted = counted_at(chunk, i);
        can = count_from(base, &counted);
    }
    return can;
}

/* What entries count from is the first one again. false: then some would not fit. */
static bool move_base(struct event_chunk *chunk)
{
    const struct event_place first = event_chunk_place(chunk, 0);
    if (first.time_us == chunk->base_us && first.offset == chunk->base_offset)
        return true;
    if (chunk->places != PLACE_WIDE) {
        const struct counted base = counted_at(chunk, 0);
        if (!can_count_from(chunk, &base))
            return false;
        for (size_t i = 0; i < chunk->count; i++) {
            struct counted counted = counted_at(chunk, i);
            (void)count_from(&base, &counted);
            memcpy(entry(chunk, i), &counted, sizeof counted);
        }
    }
    chunk->base_us = first.time_us;
    chunk->base_offset = first.offset;
    chunk->base_is_first = true;
    return true;
}

void event_chunk_count_from_first(struct event_chunk *chunk)
{
    if (chunk->count == 0 || move_base(chunk))
        return;
    widen(chunk, PLACE_WIDE, chunk->facts_width);
    (void)move_base(chunk);
}

/* What is left after events were taken out at either end. */
static void settle(struct event_chunk *chunk)
{
    chunk->dirty = true;
    chunk->written = 0;
    if (chunk->count == 0)
        return;
    const bool rests_are_gone = chunk->places == PLACE_NARROW && chunk->rest_bytes == 0;
    if (chunk->places == PLACE_WIDE || rests_are_gone || facts_could_be_smaller(chunk))
        build_again(chunk);
    else
        (void)move_base(chunk); /* or later */
    chunk->base_is_first = event_chunk_time(chunk, 0) == chunk->base_us;
    chunk->last_us = event_chunk_time(chunk, chunk->count - 1);
}

/* Bytes of the first n events' rests. */
static uint32_t rests_of(const struct event_chunk *chunk, size_t n)
{
    uint32_t bytes = 0;
    for (size_t i = 0; i < n && chunk->places != PLACE_BARE; i++)
        bytes += event_chunk_place(chunk, i).size;
    return bytes;
}

void event_chunk_drop(struct event_chunk *chunk, size_t n)
{
    ENSURE(chunk->loaded && !chunk->rests_away && n <= chunk->count);
    if (n == 0)
        return;
    chunk->rest_bytes -= rests_of(chunk, n);
    move_events(chunk, 0, n);
    chunk->count -= (uint32_t)n;
    chunk->start += (uint32_t)n;
    settle(chunk);
    compact(chunk);
}

void event_chunk_split(struct event_chunk *chunk, size_t n, struct event_chunk *into)
{
    ENSURE(chunk->loaded && !chunk->rests_away && n <= chunk->count && into->count == 0);
    const struct event_chunk named = *into;
    *into = *chunk;
    into->number = named.number;
    into->stored = named.stored;
    into->rests_used = false;
    into->count = (uint32_t)n;
    into->rest_bytes = rests_of(chunk, n);
    new_room(into, needed(into, n, into->rest_bytes));
    if (n > 0)
        memcpy(into->room, chunk->room, n * chunk->entry_size);
    take_rests(into, end_of(chunk));
    settle(into);
    into->dirty = n > 0;
    event_chunk_drop(chunk, n);
}

uint64_t event_chunk_footprint(const struct event_chunk *chunk)
{
    return mem_size_of(chunk->room_size);
}
