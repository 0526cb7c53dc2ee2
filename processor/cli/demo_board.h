/*
 * demo_board: what the demo shows: each alert as it appears, with the time since its payment was
 * handed to Kafka, and at the end what was attacked and what was alerted.
 *
 * The generator's thread says what it sends, the workers' threads what came out. Thread-safe.
 */
#ifndef WEIR_PROCESSOR_CLI_DEMO_BOARD_H
#define WEIR_PROCESSOR_CLI_DEMO_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/offline/generator.h"
#include "processor/steps/outputs.h"
#include "processor/topology/plan.h"

struct demo_board;

/* `encoding`: the payments'. `json`: one object a line instead of text. */
void demo_board_create(struct demo_board **out, const struct plan *borrowed,
                       enum generator_encoding encoding, bool json);
void demo_board_destroy(struct demo_board **board);

/* From now on alerts are shown and measured; before, the past is made up. */
void demo_board_go_live(struct demo_board *board);
/* Before the event is handed to Kafka. */
void demo_board_sent(struct demo_board *board, const struct generator_event *event);
/* For service_options.on_output. */
void demo_board_output(void *board, const struct output *output);

struct demo_totals {
    uint64_t records; /* that the workers processed, tables too */
    uint64_t duplicates, reevaluated;
};
/*
 * The table at the end. true: each kind of attack happened, every attack that was over for two
 * seconds had its alert, and exactly the broken records became dead letters, with their reasons.
 */
bool demo_board_summarise(struct demo_board *board, const struct demo_totals *totals);

#endif
