/* yaml_bytes: what the bytes of a topology file must be before YAML sees them. */
#ifndef WEIR_PROCESSOR_TOPOLOGY_YAML_BYTES_H
#define WEIR_PROCESSOR_TOPOLOGY_YAML_BYTES_H

#include "base/bytes.h"
#include "processor/topology/diagnostics.h"

enum { YAML_TEXT_MAX = 1 << 20 };

/* UTF-8 without control characters, not too large; else there is a diagnostic. */
bool yaml_check_bytes(struct bytes text, struct diagnostics *diagnostics);

#endif
