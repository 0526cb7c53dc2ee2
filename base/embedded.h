/*
 * embedded: the schemas and topologies that are part of the binary, so that `weir demo` needs no
 * other file. Written at build time by cmake/embed_files.cmake (library weir_embedded); constant
 * data, usable from any thread.
 */
#ifndef WEIR_BASE_EMBEDDED_H
#define WEIR_BASE_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* from the root of the source tree: "schemas/transaction.avsc" */
    const unsigned char *data; /* `size` bytes and a NUL that is not counted */
    size_t size;
};

/* All of them, sorted by name; the last entry has a NULL name. */
const struct embedded_file *embedded_files(void);

/* The file of that name, or NULL. */
const struct embedded_file *embedded_find(const char *name);

#endif
