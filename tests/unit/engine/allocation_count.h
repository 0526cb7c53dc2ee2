/* allocation_count: how often the code under test asked for memory. The linker puts it before base/memory.h's functions
 * (--wrap, tests/CMakeLists.txt). */
#ifndef WEIR_TESTS_UNIT_ENGINE_ALLOCATION_COUNT_H
#define WEIR_TESTS_UNIT_ENGINE_ALLOCATION_COUNT_H

#include <stdint.h>

extern uint64_t allocation_count;

#endif
