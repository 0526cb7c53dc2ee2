/*
 * crash_ledger: the deaths of this process, by the record that was in hand, over starts. It stands in the state directory, and what
 * follows from it is the engine's (processor/engine/crash_watch.h).
 *
 *     in-hand-N      mapped: what worker N has in hand, and the names of the topics that it counts by
 *     deaths         text, a line per record: deaths, topic, partition, offset
 *     crashed/NAME   one text per record that was given up; while there is one, the process is not ready. `weir acknowledge`
 *                    removes them, and so may anybody
 *
 * Opening it counts: what the last process had in hand has one death more. A process that ended in order had nothing in hand. Of several
 * workers each may have had something in hand: one of them is guilty, the others are cleared when their record is committed, as every
 * record is. With the state directory the counts are lost, and counting starts anew.
 *
 * Only one process at a time: the store's lock must be held. crash_ledger_passed may be called by any thread.
 */
#ifndef WEIR_PROCESSOR_CLI_CRASH_LEDGER_H
#define WEIR_PROCESSOR_CLI_CRASH_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "processor/engine/crash_watch.h"
#include "processor/engine/topics.h"

struct crash_ledger;
MUST_CHECK enum status crash_ledger_open(struct crash_ledger **out, const char *directory, const struct topics *borrowed,
                                         size_t worker_count, struct error *err);
void crash_ledger_close(struct crash_ledger **ledger);

/* Valid until close. */
struct in_hand *crash_ledger_in_hand(struct crash_ledger *ledger, size_t worker);
/* The records of this topology's topics at which the process died. */
void crash_ledger_watch(struct crash_ledger *ledger, struct crash_watch *out);
/* The record was committed: it is cleared. For worker_options.on_crash_passed. */
void crash_ledger_passed(void *ledger, const struct crash_suspect *suspect);

/* Appends a line for each record that was given up and not acknowledged; their number. */
MUST_CHECK enum status crash_notices_list(const char *directory, struct buffer *out, size_t *count, struct error *err);
MUST_CHECK enum status crash_notices_acknowledge(const char *directory, struct error *err);

#endif
