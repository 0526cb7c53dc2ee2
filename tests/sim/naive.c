#include "naive.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

struct event {
    int user;
    int64_t at_ms, cents;
    size_t order;
    const char *id;
};

static int by_user_and_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->user != y->user)
        return x->user < y->user ? -1 : 1;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* What counts, in the order in which it arrived. */
static size_t keep_events(struct event *events, const struct fixture_record *const *records,
                          size_t count)
{
    struct map *ids = NULL;
    size_t kept = 0;
    int64_t newest_ms = INT64_MIN;
    map_create(&ids, 0);
    for (size_t i = 0; i < count; i++) {
        const struct fixture_record *record = records[i];
        bool is_new;
        if (!record->is_event)
            continue;
        if (newest_ms != INT64_MIN && record->at_ms < newest_ms - ACCEPT_LATE_MS)
            continue;
        map_insert(ids, bytes_of_string(record->id), &is_new);
        if (!is_new)
            continue;
        if (record->at_ms > newest_ms)
            newest_ms = record->at_ms;
        events[kept] =
            (struct event){ record->user, record->at_ms, record->cents, kept, record->id };
        kept++;
    }
    map_destroy(&ids);
    return kept;
}

void naive_judge(struct naive_alerts *out, const struct fixture_record *const *records,
                 size_t count, struct arena *arena)
{
    struct event *events = arena_alloc(arena, (count + 1) * sizeof *events);
    const size_t kept = keep_events(events, records, count);
    qsort(events, kept, sizeof *events, by_user_and_time);
    *out = (struct naive_alerts){
        .velocity = arena_alloc(arena, (kept + 1) * sizeof(char *)),
        .burst = arena_alloc(arena, (kept + 1) * sizeof(char *)),
    };
    for (size_t i = 0; i < kept; i++) {
        int64_t number = 0, cents = 0;
        for (size_t j = i + 1; j-- > 0 && events[j].user == events[i].user;) {
            if (events[j].at_ms <= events[i].at_ms - BURST_MS)
                break;
            number += events[j].at_ms > events[i].at_ms - VELOCITY_MS;
            cents += events[j].cents;
        }
        if (number > VELOCITY_LIMIT)
            out->velocity[out->velocity_count++] = events[i].id;
        if (cents > BURST_CENTS)
            out->burst[out->burst_count++] = events[i].id;
    }
}
