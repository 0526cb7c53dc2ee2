#include "base/ensure.h"

#include <stdlib.h>

#include "base/log.h"

void ensure_failed(const char *condition, const char *file, int line)
{
    /* Not LOG_ERROR: this line must appear even when logging is off. */
    log_write(LOG_LEVEL_ERROR, "ensure.failed", "where=%s:%d condition=%s", file, line,
              LOG_Q(condition));
    abort();
}
