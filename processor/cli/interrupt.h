/* interrupt: SIGINT and SIGTERM as a flag. A second one ends the process at once: a crash is safe. */
#ifndef WEIR_PROCESSOR_CLI_INTERRUPT_H
#define WEIR_PROCESSOR_CLI_INTERRUPT_H

#include <stdatomic.h>

const atomic_bool *interrupt_flag(void); /* installs the handlers with the first call */

#endif
