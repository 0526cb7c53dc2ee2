/*
 * schema_file: schema texts as files: read whole, written so that a crash leaves either the whole
 * file or none.
 */
#ifndef WEIR_SCHEMAS_SCHEMA_FILE_H
#define WEIR_SCHEMAS_SCHEMA_FILE_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "schemas/schema.h"

/*
 * Begins the name of a file that is still being written: whoever reads a directory passes over it.
 */
#define SCHEMA_FILE_UNFINISHED ".unfinished-"

/* ST_NOT_FOUND, ST_IO_FAILED; ST_INVALID when it is larger than SCHEMA_TEXT_MAX or no schema. */
MUST_CHECK enum status schema_file_read(struct schema_document **out, const char *directory,
                                        const char *name, struct error *err);
/* Replaces a file of that name. ST_DISK_FULL or ST_IO_FAILED. */
MUST_CHECK enum status schema_file_write(const char *directory, const char *name, struct bytes text,
                                         struct error *err);

#endif
