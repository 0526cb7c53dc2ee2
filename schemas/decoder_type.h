/*
 * decoder_type: what stands behind `struct decoder`; included by the files that implement one, by
 * nobody else. An implementation begins its own struct with `struct decoder base;`, and its create
 * function gives out &x->base.
 */
#ifndef WEIR_SCHEMAS_DECODER_TYPE_H
#define WEIR_SCHEMAS_DECODER_TYPE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "schemas/value.h"

struct decoder;

struct decoder_type {
    /* As decoder_decode; the payload is not none (decoder_decode has refused that). */
    enum status (*decode)(struct decoder *self, struct bytes payload, struct value *slots,
                          struct arena *arena, struct error *err);
    /* Frees `self` and what it owns; never called with NULL. */
    void (*destroy)(struct decoder *self);
};

struct decoder {
    const struct decoder_type *type;
};

#endif
