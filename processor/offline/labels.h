/*
 * labels: what a backtest's file says of its events (fraud or not) held against what the rules said. Events are numbered as in the
 * file.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_LABELS_H
#define WEIR_PROCESSOR_OFFLINE_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct labels;

void labels_create(struct labels **out, size_t rule_count);
void labels_destroy(struct labels **labels);
void labels_set_fraud(struct labels *labels, uint64_t event);
void labels_set_alerted(struct labels *labels, size_t rule, uint64_t event);
uint64_t labels_frauds(const struct labels *labels);
/* Of one rule, or of any rule (rule == rule_count): distinct events alerted on, and how many of them are fraud. */
void labels_count(const struct labels *labels, size_t rule, uint64_t *events, uint64_t *hits);

#endif
