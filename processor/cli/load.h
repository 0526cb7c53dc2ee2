/* load: a command's topology, with what is wrong with it on stderr. */
#ifndef WEIR_PROCESSOR_CLI_LOAD_H
#define WEIR_PROCESSOR_CLI_LOAD_H

#include "base/error.h"
#include "processor/cli/arguments.h"
#include "processor/cli/config.h"
#include "processor/topology/topology.h"

/* Takes the command's only operand; --schemas wins over the configuration (NULL: none is loaded). Schemas that are on no disk come from the
 * binary. Diagnostics, warnings too, are printed. */
MUST_CHECK enum status load_topology(struct plan **out, const struct arguments *arguments, const struct config *config,
                                     struct error *err);
/* The same of another file than the operand. */
MUST_CHECK enum status load_topology_file(struct plan **out, const char *path, const struct arguments *arguments,
                                          const struct config *config, struct error *err);
/* Finds files that are part of the binary: "card-fraud.yaml", "transaction.avsc". For topology_options. */
bool load_embedded(void *context, const char *name, struct bytes *content);
/* Does anything that it reads or writes need a schema registry? */
bool load_uses_avro(const struct plan *plan);

#endif
