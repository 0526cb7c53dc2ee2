/*
 * diagnostics: the list of what is wrong with a topology file, while it grows. What readers of the
 * list need is in topology.h; this is the loader's side of it.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_DIAGNOSTICS_H
#define WEIR_PROCESSOR_TOPOLOGY_DIAGNOSTICS_H

#include "processor/topology/topology.h"

/* A place in the file, from 1. */
struct file_position {
    int line, column;
};

/*
 * Adds an error; beyond DIAGNOSTICS_MAX it is only counted. Returns its index, or DIAGNOSTICS_MAX.
 */
__attribute__((format(printf, 3, 4))) size_t
diagnose(struct diagnostics *diagnostics, struct file_position position, const char *format, ...);
__attribute__((format(printf, 3, 4))) void diagnose_warning(struct diagnostics *diagnostics,
                                                            struct file_position position,
                                                            const char *format, ...);
/* Puts more text behind an error that was added before. */
__attribute__((format(printf, 3, 4))) void diagnose_more(struct diagnostics *diagnostics,
                                                         size_t index, const char *format, ...);
/* By place in the file; indexes are void afterwards. */
void diagnostics_sort(struct diagnostics *diagnostics);

#endif
