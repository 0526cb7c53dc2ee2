/* digest: the version of a topology, for the journal: equal for files that mean the same. */
#ifndef WEIR_PROCESSOR_TOPOLOGY_DIGEST_H
#define WEIR_PROCESSOR_TOPOLOGY_DIGEST_H

#include "processor/topology/plan.h"

/* Fills plan->digest from everything that has a say in results. */
void plan_digest(struct plan *plan);

#endif
