/*
 * avro_file: Avro object container files, through avro-c (the only user of it outside tests). Reads
 * any writer schema into raw datums; writes raw datums under one schema. Codecs null, deflate (and
 * what avro-c was built with).
 */
#ifndef WEIR_SCHEMAS_AVRO_FILE_H
#define WEIR_SCHEMAS_AVRO_FILE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/error.h"

struct avro_file_reader;
MUST_CHECK enum status avro_file_reader_open(struct avro_file_reader **out, const char *path,
                                             struct error *err);
/* The writer schema's text, borrowed until close. */
struct bytes avro_file_reader_schema(const struct avro_file_reader *reader);
/* The next datum in Avro's binary encoding, valid until the next call; `end` says there is none. */
MUST_CHECK enum status avro_file_reader_next(struct avro_file_reader *reader, struct bytes *datum,
                                             bool *end, struct error *err);
void avro_file_reader_close(struct avro_file_reader **reader);

struct avro_file_writer;
MUST_CHECK enum status avro_file_writer_create(struct avro_file_writer **out, const char *path,
                                               struct bytes schema, const char *codec,
                                               struct error *err);
MUST_CHECK enum status avro_file_writer_append(struct avro_file_writer *writer, struct bytes datum,
                                               struct error *err);
/* Flushes, syncs and closes; sets *writer to NULL also on failure. */
MUST_CHECK enum status avro_file_writer_finish(struct avro_file_writer **writer, struct error *err);
void avro_file_writer_destroy(
    struct avro_file_writer **writer); /* gives up: the file may be incomplete */

#endif
