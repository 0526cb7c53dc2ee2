#include "processor/cli/patience.h"

#include <inttypes.h>

#include "base/log.h"

static const int64_t PATIENCE_US = INT64_C(120) * 1000 * 1000;
static const int64_t PAUSE_US = INT64_C(1000) * 1000;

void patience_init(struct patience *patience, const struct clock *clock, const atomic_bool *stop)
{
    *patience = (struct patience){ .clock = *clock, .stop = stop, .deadline_us = clock_us(clock) + PATIENCE_US };
}

/* A state directory that another process uses is a mistake, which waiting would hide. */
static bool may_pass(enum status st)
{
    return status_class_of(st) == CLASS_RETRY && st != ST_LOCAL_BUSY;
}

enum status patience_result(const struct patience *patience, enum status failure)
{
    return atomic_load(patience->stop) && may_pass(failure) ? ST_OK : failure;
}

bool patience_lasts(const struct patience *patience, const struct error *err)
{
    const int64_t left_us = patience->deadline_us - clock_us(&patience->clock);
    if (!may_pass(err->status) || left_us <= 0 || atomic_load(patience->stop))
        return false;
    LOG_WARN("start.waits", "left_s=%" PRId64 " status=%s error=%s", left_us / 1000000, status_name(err->status),
             LOG_Q(err->text));
    clock_sleep_us(&patience->clock, PAUSE_US);
    return !atomic_load(patience->stop);
}
