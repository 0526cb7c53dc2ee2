/* metrics: the figures of a process's workers as Prometheus text and as JSON. Names are stable; docs/operations.md lists them. */
#ifndef WEIR_PROCESSOR_OPS_METRICS_H
#define WEIR_PROCESSOR_OPS_METRICS_H

#include "base/buffer.h"
#include "processor/engine/standby.h"
#include "processor/engine/worker.h"
#include "schemas/registry.h"

/* Sums the workers. `registry` may be NULL. */
void metrics_write(struct buffer *out, const struct plan *plan, const struct worker_stats *workers, size_t worker_count,
                   const struct registry_health *registry);
void metrics_write_standbys(struct buffer *out, const struct standby_stats *standbys, size_t count);
void metrics_write_status(struct buffer *out, const struct plan *plan, const struct worker_stats *workers,
                          size_t worker_count, const struct standby_stats *standbys, size_t standby_count);

#endif
