/* version: of weir itself; the journal pins it. */
#ifndef WEIR_PROCESSOR_ENGINE_VERSION_H
#define WEIR_PROCESSOR_ENGINE_VERSION_H

#define WEIR_VERSION "0.1.0"

#endif
