/* version: of weir itself, from the build (CMakeLists.txt: project VERSION); the journal pins it. */
#ifndef WEIR_PROCESSOR_ENGINE_VERSION_H
#define WEIR_PROCESSOR_ENGINE_VERSION_H

#ifndef WEIR_VERSION
#error "the build defines WEIR_VERSION"
#endif

#endif
