/*
 * avro_random: random pairs of schemas, the reader's derived from the writer's by steps that Avro
 * allows, random data that avro-c encodes, and what the reader's columns must then be.
 */
#ifndef WEIR_TESTS_UNIT_SCHEMAS_AVRO_RANDOM_H
#define WEIR_TESTS_UNIT_SCHEMAS_AVRO_RANDOM_H

#include <avro.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/random.h"
#include "schemas/schema.h"

/*
 * Names tell what happened to a field: a reader's "n_x" has the alias "x", a "d_x" is new and has
 * the default 7. `evolve` false: both texts are the same.
 */
void random_schemas(struct prng *prng, struct buffer *writer, struct buffer *reader, bool evolve);

/* Fills a value of avro-c with whatever its schema allows. */
void random_value_fill(struct prng *prng, avro_value_t *value);

/* What the reader's column must be, by way of avro-c. Text lives in the arena. */
struct value expected_value(avro_value_t *value, const struct schema *writer, const char *path,
                            struct value_type type, struct arena *arena);

#endif
