/* A chunk against an array of events: put in anywhere, replaced, split, dropped, written, read. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "base/random.h"
#include "state/event_chunk.h"
#include "task_rows.h"

enum { EVENTS_MAX = 200, REST_MAX = 24, WORDS = 4 };

static const struct layout_column column = { "n", { VALUE_INT, 0, true } };

struct model {
    struct event_place places[EVENTS_MAX]; /* `at` is not used; `size` is the rest's, also of a bare event */
    bool bare[EVENTS_MAX];
    uint8_t rests[EVENTS_MAX][REST_MAX];
    uint64_t words[EVENTS_MAX][WORDS];
    size_t count;
};

struct world {
    struct prng prng;
    int step;
    struct task_rows rows;
    uint32_t layout;
    bool rarely_wide; /* times, offsets and facts mostly fit narrow entries */
    struct fact_form form;
    uint64_t width_checks[FACTS_WIDE + 1], bare_checks, mixed_checks;
    size_t read; /* events of the row that is being read */
    struct event_chunk chunk;
    struct buffer open; /* the chunk as open events, as it was written last */
    uint64_t grown, forgotten;
    struct model model;
};

#define CHECK(w, condition, what)                                                       \
    do {                                                                                \
        if (!(condition))                                                               \
            cr_assert_fail("%s: TEST_SEED=%" PRIu64 " step=%d", (what), (w)->prng.seed, \
                           (w)->step);                                                  \
    } while (0)

static bool is_large(struct world *w)
{
    return prng_chance(&w->prng, 1, w->rarely_wide ? 60 : 3);
}

/* Some alerted rules, and the number that the facts are of, as the entity log packs them. */
static struct bytes any_rest(struct world *w, const uint64_t words[WORDS], uint8_t rest[REST_MAX])
{
    struct buffer packed;
    buffer_init(&packed);
    const uint64_t alerted = is_large(w) ? prng_below(&w->prng, 3) : 0;
    buffer_put_varint(&packed, alerted);
    for (uint64_t i = 0; i < alerted; i++)
        buffer_put_be32(&packed, (uint32_t)prng_next(&w->prng));
    struct value v = value_int((int64_t)words[1]);
    if (words[0] & FACT_WIDE)
        v = value_int((int64_t)prng_next(&w->prng));
    else if (words[1] == 0 && prng_chance(&w->prng, 1, 2))
        v = value_null();
    layout_write_values(&packed, &v, 1);
    const size_t size = packed.size;
    memcpy(rest, packed.data, size);
    buffer_fini(&packed);
    return bytes_of(rest, size);
}

/* No rule has alerted, and the number is told. */
static bool is_told(const struct model *m, size_t i)
{
    static const uint8_t null_rest[] = { 0, 0 };
    return m->rests[i][0] == 0 && (m->words[i][0] & FACT_WIDE) == 0 &&
           !bytes_equal(bytes_of(m->rests[i], m->places[i].size), bytes_of(null_rest, sizeof null_rest));
}

static int64_t any_time(struct world *w)
{
    const int64_t near = prng_between(&w->prng, -50, 50);
    if (w->rarely_wide && !is_large(w))
        return near * 1000;
    return near * (prng_chance(&w->prng, 1, 9) ? INT64_MAX / 200 : 1);
}

static int64_t any_offset(struct world *w)
{
    return is_large(w) ? prng_between(&w->prng, 0, INT64_MAX) : prng_between(&w->prng, 1000, INT32_MAX);
}

static uint64_t any_code(struct world *w)
{
    const uint64_t size = prng_below(&w->prng, is_large(w) ? 8 : 4);
    if (prng_chance(&w->prng, 1, 5))
        return 0;
    const uint64_t text = prng_next(&w->prng) & ((UINT64_C(1) << 8 * size) - 1);
    return text | (size + 1) << 56;
}

/* Members, a number, a code, a hash. */
static void any_words(struct world *w, uint64_t words[WORDS])
{
    words[0] = prng_next(&w->prng) & (w->form.members_mask >> 1) & ~FACT_WIDE;
    words[0] |= prng_chance(&w->prng, 1, w->rarely_wide ? 60 : 9) ? FACT_WIDE : 0;
    words[1] = (uint64_t)(is_large(w) ? (int64_t)prng_next(&w->prng)
                                      : prng_between(&w->prng, INT32_MIN, INT32_MAX));
    if (prng_chance(&w->prng, 1, 20))
        words[1] = 0;
    words[2] = any_code(w);
    words[3] = prng_next(&w->prng);
}

static void do_insert(struct world *w)
{
    struct model *m = &w->model;
    if (m->count == EVENTS_MAX)
        return;
    const int64_t time_us = any_time(w);
    size_t i = 0;
    while (i < m->count && m->places[i].time_us <= time_us)
        i++;
    CHECK(w, event_chunk_upper_bound(&w->chunk, time_us) == i, "upper_bound");
    memmove(m->places + i + 1, m->places + i, (m->count - i) * sizeof *m->places);
    memmove(m->rests + i + 1, m->rests + i, (m->count - i) * sizeof *m->rests);
    memmove(m->words + i + 1, m->words + i, (m->count - i) * sizeof *m->words);
    memmove(m->bare + i + 1, m->bare + i, (m->count - i) * sizeof *m->bare);
    any_words(w, m->words[i]);
    m->count++;
    const struct bytes rest = any_rest(w, m->words[i], m->rests[i]);
    m->places[i] = (struct event_place){ .time_us = time_us,
                                         .offset = any_offset(w),
                                         .size = (uint32_t)rest.size };
    m->bare[i] = w->chunk.facts != NULL && is_told(m, i);
    event_chunk_insert(&w->chunk, i, time_us, m->places[i].offset, m->bare[i] ? bytes_of(NULL, 0) : rest, m->words[i]);
}

static void do_replace(struct world *w)
{
    if (w->model.count == 0)
        return;
    const size_t i = prng_below(&w->prng, w->model.count);
    const struct bytes rest = any_rest(w, w->model.words[i], w->model.rests[i]);
    w->model.places[i].size = (uint32_t)rest.size;
    w->model.bare[i] = false;
    event_chunk_replace_rest(&w->chunk, i, rest);
}

static void check_facts(struct world *w, const struct event_chunk *chunk, size_t from)
{
    for (size_t i = 0; i < chunk->count; i++) {
        uint64_t words[WORDS];
        const struct fact_view view = event_chunk_facts(chunk, i);
        fact_words(&view, words);
        CHECK(w, memcmp(words, w->model.words[from + i], sizeof words) == 0, "facts");
        CHECK(w, fact_members(&view) == words[0] && fact_word(&view, 2) == words[2], "a fact");
    }
    w->width_checks[chunk->facts_width] += chunk->count;
}

static void check_rest(struct world *w, const struct event_chunk *chunk, size_t i, size_t from)
{
    const struct model *m = &w->model;
    struct buffer rest;
    buffer_init(&rest);
    event_chunk_put_rest(chunk, i, &rest);
    CHECK(w, bytes_equal(buffer_view(&rest), bytes_of(m->rests[from + i], m->places[from + i].size)), "rest");
    buffer_fini(&rest);
    const bool is_bare = chunk->facts != NULL && m->bare[from + i];
    CHECK(w, (event_chunk_rest(chunk, i).size == 0) == is_bare, "bare");
    if (!is_bare)
        return;
    struct value v;
    const struct fact_view facts = event_chunk_facts(chunk, i);
    fact_columns_read(&facts, &v);
    CHECK(w, v.kind == VALUE_INT && v.i == (int64_t)m->words[from + i][1], "a told column");
    w->bare_checks += chunk->places == PLACE_BARE;
    w->mixed_checks += chunk->places == PLACE_NARROW;
}

static void check_equal(struct world *w, const struct event_chunk *chunk, size_t from, size_t count)
{
    size_t rest_bytes = 0;
    CHECK(w, chunk->count == count && chunk->loaded, "count");
    for (size_t i = 0; i < count; i++) {
        const struct event_place *place = &w->model.places[from + i];
        CHECK(w, event_chunk_place(chunk, i).time_us == place->time_us, "time");
        CHECK(w, event_chunk_place(chunk, i).offset == place->offset, "offset");
        check_rest(w, chunk, i, from);
        rest_bytes += event_chunk_rest(chunk, i).size;
    }
    if (count > 0) {
        CHECK(w, event_chunk_first_us(chunk) == w->model.places[from].time_us, "first");
        CHECK(w, chunk->last_us == w->model.places[from + count - 1].time_us, "last");
    }
    CHECK(w, chunk->rest_bytes == rest_bytes, "bytes");
    CHECK(w, chunk->rest_used <= 2 * rest_bytes + REST_MAX,
          "what was replaced takes too much room");
    CHECK(w, event_chunk_footprint(chunk) >= rest_bytes + count * BARE_PLACE_SIZE,
          "footprint");
}

static void forget_first(struct world *w, size_t n)
{
    struct model *m = &w->model;
    memmove(m->places, m->places + n, (m->count - n) * sizeof *m->places);
    memmove(m->rests, m->rests + n, (m->count - n) * sizeof *m->rests);
    memmove(m->words, m->words + n, (m->count - n) * sizeof *m->words);
    memmove(m->bare, m->bare + n, (m->count - n) * sizeof *m->bare);
    m->count -= n;
}

/* No event lies wide because of one that is gone. */
static void check_as_narrow_as_may_be(struct world *w)
{
    uint8_t narrow[WORDS * sizeof(uint64_t) + FACT_READ_AHEAD];
    bool fit[FACTS_WIDE + 1] = { true, true, true, true }, bare = true;
    for (size_t i = 0; i < w->model.count; i++) {
        for (enum fact_width width = FACTS_SMALL; width < FACTS_WIDE; width++)
            fit[width] = fact_form_write(&w->form, width, w->model.words[i], narrow) && fit[width];
        bare = bare && w->model.bare[i];
    }
    enum fact_width width = FACTS_SMALL;
    while (!fit[width])
        width++;
    CHECK(w, w->model.count == 0 || w->chunk.facts_width == width, "facts are wider than need be, or not");
    CHECK(w, w->model.count == 0 || w->chunk.places != (bare ? PLACE_NARROW : PLACE_BARE), "places are narrow without need");
}

static void do_take_first(struct world *w)
{
    const size_t n = prng_below(&w->prng, w->model.count + 1);
    const uint64_t start = w->chunk.start;
    if (prng_chance(&w->prng, 1, 2)) {
        event_chunk_drop(&w->chunk, n);
    } else {
        struct event_chunk into = { .number = 7 };
        event_chunk_split(&w->chunk, n, &into);
        CHECK(w, into.start == start && into.number == 7, "start of the first part");
        CHECK(w, into.dirty || n == 0, "dirty");
        check_equal(w, &into, 0, n);
        check_facts(w, &into, 0);
        event_chunk_fini(&into);
    }
    CHECK(w, w->chunk.start == start + n, "start");
    CHECK(w, w->chunk.dirty || n == 0, "dirty");
    if (n == 0)
        return;
    forget_first(w, n);
    check_as_narrow_as_may_be(w);
}

static const uint64_t *facts_of_model(void *world)
{
    struct world *w = world;
    return w->model.words[w->read++];
}

static enum status read_chunk(struct world *w, struct event_chunk *chunk, enum event_chunk_kind kind, struct bytes row,
                              const struct layout_column *columns, size_t column_count, uint32_t layout)
{
    struct value values[2];
    struct reader in = reader_of(row);
    const struct event_chunk_reading reading = { .layouts = w->rows.layouts,
                                                 .columns = columns,
                                                 .column_count = column_count,
                                                 .layout = layout,
                                                 .values = values,
                                                 .facts_of = chunk->facts == NULL ? NULL : facts_of_model,
                                                 .context = w };
    w->read = 0;
    return event_chunk_read(chunk, kind, &in, &reading, NULL);
}

static void do_reload(struct world *w)
{
    struct buffer row;
    buffer_init(&row);
    event_chunk_write(&w->chunk, w->layout, &row);
    /* Times and offsets here may be far apart; that is what the estimate does not count on. */
    CHECK(w, row.size <= event_chunk_row_size(&w->chunk) + 8 * w->model.count, "row size");
    struct event_chunk read = { .start = w->chunk.start, .facts = &w->form };
    CHECK(w, read_chunk(w, &read, EVENT_CHUNK_SEALED, buffer_view(&row), &column, 1, w->layout) == ST_OK, "read");
    CHECK(w, !read.dirty, "clean");
    for (size_t i = 0; i < w->model.count; i++)
        w->model.bare[i] = is_told(&w->model, i);
    event_chunk_fini(&w->chunk);
    w->chunk = read;
    buffer_fini(&row);
}

static void check_image(struct world *w, struct event_chunk *chunk)
{
    struct buffer image;
    buffer_init(&image);
    event_chunk_image_write(chunk, &image);
    struct event_chunk read = { .start = chunk->start, .facts = chunk->facts };
    struct reader in = reader_of(buffer_view(&image));
    event_chunk_image_read(&read, &in, prng_below(&w->prng, 3));
    CHECK(w, reader_done(&in), "an image ends where it ends");
    CHECK(w, read.rests_away == chunk->rests_away && read.written == chunk->written, "what an image says of the chunk");
    event_chunk_fini(chunk);
    *chunk = read;
    buffer_fini(&image);
}

/* From now on the chunk is one that was kept. */
static void do_keep(struct world *w)
{
    const bool dirty = w->chunk.dirty;
    check_image(w, &w->chunk);
    w->chunk.dirty = dirty;
}

/* A copy of which only times, offsets and facts are asked. */
static void do_forget_rests(struct world *w)
{
    struct buffer row;
    buffer_init(&row);
    event_chunk_write(&w->chunk, w->layout, &row);
    struct event_chunk read = { .start = w->chunk.start, .facts = w->chunk.facts };
    CHECK(w, read_chunk(w, &read, EVENT_CHUNK_SEALED, buffer_view(&row), &column, 1, w->layout) == ST_OK, "read");
    const bool has_rests = read.rest_bytes > 0;
    const uint64_t whole = event_chunk_footprint(&read);
    read.stored = true;
    event_chunk_forget_rests(&read);
    for (int i = 0; i < 2; i++) {
        CHECK(w, read.rests_away == has_rests && read.count == w->model.count, "forgotten");
        CHECK(w, i > 0 || event_chunk_footprint(&read) <= whole, "it takes more than with its rests");
        for (size_t k = 0; k < read.count; k++) {
            CHECK(w, event_chunk_time(&read, k) == w->model.places[k].time_us, "time without rests");
            CHECK(w, event_chunk_place(&read, k).offset == w->model.places[k].offset, "offset without rests");
            CHECK(w, event_chunk_rest(&read, k).size == 0, "a rest that was forgotten");
        }
        check_facts(w, &read, 0);
        check_image(w, &read);
    }
    w->forgotten += has_rests;
    event_chunk_fini(&read);
    buffer_fini(&row);
}

/* Whole, or what is new behind what was written last. */
static void do_write_open(struct world *w)
{
    if (event_chunk_only_grew(&w->chunk)) {
        w->grown += w->chunk.count > w->chunk.written;
        event_chunk_write_new(&w->chunk, &w->open);
    } else {
        buffer_clear(&w->open);
        event_chunk_write_open(&w->chunk, w->layout, &w->open);
    }
    struct event_chunk read = { .start = w->chunk.start };
    CHECK(w, read_chunk(w, &read, EVENT_CHUNK_OPEN, buffer_view(&w->open), &column, 1, w->layout) == ST_OK,
          "read open events");
    check_equal(w, &read, 0, w->model.count);
    event_chunk_fini(&read);
}

/* How often the row only grew; rests were forgotten; a bare event was looked at, in a chunk of such alone or not; and facts
 * of each width. */
struct seen {
    uint64_t grown, forgotten, bare, mixed, widths[FACTS_WIDE + 1];
};

static void live(uint64_t seed, struct seen *seen)
{
    static struct world w;
    static const enum fact_kind kinds[] = { FACT_NUMBER, FACT_CODE, FACT_ID };
    static const struct fact_column told = { .type = { VALUE_INT, 0, true }, .kind = FACT_NUMBER, .word = 1 };
    w = (struct world){ .prng = prng_of_seed(seed), .rarely_wide = seed % 3 != 0 };
    fact_form_init(&w.form, 1 + seed % 63, kinds, WORDS);
    fact_form_set_columns(&w.form, &told, 1);
    for (uint64_t code = 1; seed % 2 == 0 && code <= DICTIONARY_CODES_MAX - 20; code++)
        (void)code_dictionary_assign(w.form.codes, code); /* nobody else's */
    w.chunk = (struct event_chunk){ .loaded = true, .start = 1000, .facts = &w.form };
    task_rows_open(&w.rows, &(struct overlay_options){ 0 });
    cr_assert_eq(layouts_number(w.rows.layouts, &column, 1, &w.layout, NULL), ST_OK);
    for (w.step = 0; w.step < 500; w.step++) {
        const bool full = w.model.count > 10 && seed % 2 == 0;
        switch (prng_below(&w.prng, full ? 7 : 32)) {
        case 0:
            do_take_first(&w);
            break;
        case 1:
            do_reload(&w);
            break;
        case 2:
        case 3:
        case 4:
            do_replace(&w);
            break;
        case 5:
            do_keep(&w);
            break;
        case 6:
            do_forget_rests(&w);
            break;
        case 7 ... 14:
            do_write_open(&w);
            break;
        default:
            do_insert(&w);
        }
        check_equal(&w, &w.chunk, 0, w.model.count);
        check_facts(&w, &w.chunk, 0);
    }
    seen->grown += w.grown;
    seen->forgotten += w.forgotten;
    seen->bare += w.bare_checks;
    seen->mixed += w.mixed_checks;
    for (size_t width = FACTS_SMALL; width <= FACTS_WIDE; width++)
        seen->widths[width] += w.width_checks[width];
    event_chunk_fini(&w.chunk);
    fact_form_fini(&w.form);
    buffer_fini(&w.open);
    task_rows_close(&w.rows);
}

Test(event_chunk, agrees_with_an_array)
{
    const struct prng first = prng_from_env("TEST_SEED", 0);
    struct seen seen = { 0 };
    if (first.seed != 0)
        live(first.seed, &seen);
    for (uint64_t seed = 1; first.seed == 0 && seed <= 40; seed++)
        live(seed, &seen);
    if (first.seed != 0)
        return;
    cr_assert_gt(seen.grown, 10);
    for (enum fact_width width = FACTS_SMALL; width <= FACTS_WIDE; width++)
        cr_assert_gt(seen.widths[width], 4000, "width %d", width);
    cr_assert_gt(seen.forgotten, 100);
    cr_assert(seen.bare > 1000 && seen.mixed > 1000, "%" PRIu64 " bare events, %" PRIu64 " among others", seen.bare,
              seen.mixed);
}

/* The stored form is the code, as entity_facts.c makes it. */
static uint64_t code_of(int64_t number)
{
    enum { SIZE_AT = 56 };
    const struct value v = value_int(number);
    struct buffer form;
    uint64_t code = 0;
    buffer_init(&form);
    value_write(&form, &v);
    memcpy(&code, form.data, form.size);
    code |= (uint64_t)(form.size + 1) << SIZE_AT;
    buffer_fini(&form);
    return code;
}

/* A form of four bytes that ends with a zero is one byte too long to be narrow. */
Test(event_chunk, tells_numbers_that_are_counted_once_whatever_their_bytes)
{
    static const int64_t numbers[] = { 0, -1, 127, 256, 32768, 33024, 65536, 8388352, 8388608, INT64_C(1) << 40, INT32_MIN };
    static const enum fact_kind kinds[] = { FACT_CODE, FACT_NUMBER };
    static const struct fact_column told = { .type = { VALUE_INT, 0, false }, .kind = FACT_CODE, .word = 1 };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct fact_form form;
        fact_form_init(&form, 1, kinds, 3);
        fact_form_set_columns(&form, &told, 1);
        for (uint64_t code = 1; code <= DICTIONARY_CODES_MAX; code++)
            (void)code_dictionary_assign(form.codes, code_of(1000000 + (int64_t)code)); /* full */
        struct event_chunk chunk = { .loaded = true, .facts = &form };
        const uint64_t words[] = { 1, code_of(numbers[i]), 77 };
        event_chunk_insert(&chunk, 0, 0, 0, BYTES_NONE, words);
        const struct fact_view facts = event_chunk_facts(&chunk, 0);
        struct value found;
        fact_columns_read(&facts, &found);
        cr_assert_eq(found.i, numbers[i], "%" PRId64 " instead of %" PRId64, found.i, numbers[i]);
        event_chunk_fini(&chunk);
        fact_form_fini(&form);
    }
}

/* Each is near enough to the first event, but the last two are not near each other. */
Test(event_chunk, offsets_far_apart_stay_what_they_are_when_the_first_event_goes)
{
    enum { STEP_US = 1000, COUNT = 3 };
    static const int64_t offsets[COUNT] = { INT64_C(1) << 32, (INT64_C(1) << 32) + INT32_MAX, (INT64_C(1) << 32) - 10 };
    struct event_chunk chunk = { .loaded = true };
    for (size_t i = 0; i < COUNT; i++)
        event_chunk_insert(&chunk, i, (int64_t)i * STEP_US, offsets[i], BYTES_NONE, NULL);
    for (size_t dropped = 0; dropped < COUNT; dropped++) {
        for (size_t i = 0; i < chunk.count; i++) {
            const struct event_place place = event_chunk_place(&chunk, i);
            cr_assert_eq(place.offset, offsets[dropped + i]);
            cr_assert_eq(place.time_us, (int64_t)(dropped + i) * STEP_US);
        }
        event_chunk_drop(&chunk, 1);
    }
    event_chunk_fini(&chunk);
}

Test(event_chunk, a_damaged_row_of_an_old_layout_is_corrupt_at_worst)
{
    static const struct layout_column wanted[] = { { "m", { VALUE_INT, 0, true } },
                                                   { "n", { VALUE_INT, 0, true } } };
    static struct world w;
    w = (struct world){ .prng = prng_of_seed(1), .chunk = { .loaded = true } };
    task_rows_open(&w.rows, &(struct overlay_options){ 0 });
    cr_assert_eq(layouts_number(w.rows.layouts, &column, 1, &w.layout, NULL), ST_OK);
    uint32_t layout;
    cr_assert_eq(layouts_number(w.rows.layouts, wanted, 2, &layout, NULL), ST_OK);
    for (int i = 0; i < 20; i++)
        do_insert(&w);
    struct buffer row;
    buffer_init(&row);
    event_chunk_write(&w.chunk, w.layout, &row);
    for (size_t bit = 0; bit <= 8 * row.size; bit++) {
        if (bit < 8 * row.size)
            row.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        struct event_chunk read = { .count = 0 };
        const enum status st = read_chunk(&w, &read, EVENT_CHUNK_SEALED, buffer_view(&row), wanted, 2, layout);
        cr_assert(st == ST_CORRUPT || st == ST_OK);
        if (bit == 8 * row.size)
            cr_assert(st == ST_OK && read.count == 20 &&
                      read.rest_bytes == w.chunk.rest_bytes + 20);
        event_chunk_fini(&read);
        if (bit < 8 * row.size)
            row.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    for (size_t cut = 0; cut < row.size; cut++) {
        struct event_chunk read = { .count = 0 };
        cr_assert_eq(read_chunk(&w, &read, EVENT_CHUNK_SEALED, bytes_of(row.data, cut), wanted, 2, layout), ST_CORRUPT);
        event_chunk_fini(&read);
    }
    buffer_fini(&row);
    event_chunk_fini(&w.chunk);
    task_rows_close(&w.rows);
}
