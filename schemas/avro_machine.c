#include "schemas/avro_machine.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "base/ensure.h"
#include "schemas/utf8.h"

/*
 * Every read goes through one of the four inline functions below, which check against `end`. They
 * take the position by pointer; nothing that is not inlined does, or it could not stay in a
 * register.
 */

struct varint {
    const uint8_t *next; /* NULL: failed, and x is the fault */
    uint64_t x;
};

/* Byte by byte: near the end of the datum and for more than 56 bits. */
static __attribute__((noinline)) struct varint read_varint_slowly(const uint8_t *at,
                                                                  const uint8_t *end)
{
    uint64_t x = 0;
    for (int i = 0; i < VARINT_SIZE_MAX && at < end; i++) {
        const uint8_t byte = *at++;
        if (i == VARINT_SIZE_MAX - 1 && byte > 1)
            return (struct varint){ NULL, FAULT_VARINT };
        x |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return (struct varint){ at, x };
    }
    return (struct varint){ NULL, FAULT_CUT_SHORT };
}

static inline __attribute__((always_inline)) enum avro_fault
read_varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    const uint8_t *p = *at;
    if (__builtin_expect(end - p >= 8, 1)) {
        if (p[0] < 0x80) {
            *out = p[0];
            *at = p + 1;
            return FAULT_NONE;
        }
        uint64_t word;
        memcpy(&word, p, sizeof word);
        word = le64toh(word);
        const uint64_t stops = ~word & UINT64_C(0x8080808080808080);
        if (stops != 0) {
            *at = p + (__builtin_ctzll(stops) + 1) / 8;
            word &= stops ^ (stops - 1); /* up to the byte without a high bit */
            word =
                (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
            word =
                (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
            *out =
                (word & UINT64_C(0x000000000fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
            return FAULT_NONE;
        }
    }
    const struct varint read = read_varint_slowly(p, end);
    if (read.next == NULL)
        return (enum avro_fault)read.x;
    *at = read.next;
    *out = read.x;
    return FAULT_NONE;
}

static inline __attribute__((always_inline)) enum avro_fault
read_long(const uint8_t **at, const uint8_t *end, int64_t *out)
{
    uint64_t x = 0; /* gcc 12 does not see that a fault leaves it unread */
    const enum avro_fault fault = read_varint(at, end, &x);
    if (fault == FAULT_NONE)
        *out = (int64_t)(x >> 1) ^ -(int64_t)(x & 1);
    return fault;
}

static inline __attribute__((always_inline)) enum avro_fault
take(const uint8_t **at, const uint8_t *end, size_t size, struct bytes *out)
{
    if ((size_t)(end - *at) < size)
        return FAULT_CUT_SHORT;
    *out = bytes_of(*at, size);
    *at += size;
    return FAULT_NONE;
}

static inline __attribute__((always_inline)) enum avro_fault
take_run(const uint8_t **at, const uint8_t *end, struct bytes *out)
{
    int64_t size;
    const enum avro_fault fault = read_long(at, end, &size);
    if (fault != FAULT_NONE)
        return fault;
    if (size < 0)
        return FAULT_LENGTH;
    return take(at, end, (size_t)size, out); /* size_t has 64 bits, here and where int128 exists */
}

/*
 * Slots are written field by field: a whole value put together first is copied through the stack,
 * and waits there for its bytes to be stored (measured: twice the time of the whole record).
 */
static inline __attribute__((always_inline)) struct value *set_kind(struct value *slot,
                                                                    enum value_kind kind)
{
    slot->kind = (uint8_t)kind;
    slot->scale = 0;
    return slot;
}

/* As value_double. */
static inline __attribute__((always_inline)) void set_double(struct value *slot, double d)
{
    set_kind(slot, isnan(d) ? VALUE_NULL : VALUE_DOUBLE)->d = d == 0.0 ? 0.0 : d;
}

static double double_of(struct bytes b)
{
    uint64_t bits;
    double d;
    memcpy(&bits, b.data, sizeof bits);
    bits = le64toh(bits);
    memcpy(&d, &bits, sizeof d);
    return d;
}

static double float_of(struct bytes b)
{
    uint32_t bits;
    float x;
    memcpy(&bits, b.data, sizeof bits);
    bits = le32toh(bits);
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

/*
 * The number of items in the next block of an array or map, 0 at its end. A negative count comes
 * with the block's size in bytes: such blocks are skipped here.
 */
static enum avro_fault next_block(struct avro_machine *machine, uint64_t *count)
{
    for (;;) {
        int64_t n;
        enum avro_fault fault = read_long(&machine->at, machine->end, &n);
        if (fault != FAULT_NONE)
            return fault;
        *count = (uint64_t)n;
        if (n >= 0)
            return FAULT_NONE;
        struct bytes block;
        fault = take_run(&machine->at, machine->end, &block);
        if (fault != FAULT_NONE)
            return fault;
    }
}

static enum avro_fault skip_items(struct avro_machine *machine, uint64_t item_size)
{
    for (;;) {
        uint64_t count;
        const enum avro_fault fault = next_block(machine, &count);
        if (fault != FAULT_NONE || count == 0)
            return fault;
        /* no loop: items without bytes (null) may come in any number */
        if (item_size != 0 && count > (uint64_t)(machine->end - machine->at) / item_size)
            return FAULT_COUNT;
        machine->at += count * item_size;
    }
}

static enum avro_fault skip_blocks(struct avro_machine *machine, uint32_t item_step, int depth)
{
    for (;;) {
        uint64_t count;
        enum avro_fault fault = next_block(machine, &count);
        if (fault != FAULT_NONE || count == 0)
            return fault;
        /* ends with the datum: items here have a byte at least; those without go to skip_items */
        for (; count > 0; count--) {
            fault = avro_machine_run(machine, item_step, depth + 1);
            if (fault != FAULT_NONE)
                return fault;
        }
    }
}

#define CHECK(call)                                   \
    do {                                              \
        fault = (call);                               \
        if (__builtin_expect(fault != FAULT_NONE, 0)) \
            goto failed;                              \
    } while (0)
#define REFUSE_UNLESS(condition, fault_)         \
    do {                                         \
        if (__builtin_expect(!(condition), 0)) { \
            fault = (fault_);                    \
            goto failed;                         \
        }                                        \
    } while (0)

/*
 * Long because it is the one loop that runs for every field of every record; each case is on its
 * own.
 */
enum avro_fault avro_machine_run(struct avro_machine *machine, uint32_t first_step, int depth)
{
    const struct avro_program *program = machine->program;
    const struct avro_step *step = &program->steps[first_step];
    const uint8_t *at = machine->at;
    const uint8_t *const end = machine->end;
    enum avro_fault fault;
    int64_t x;
    struct bytes b;

    if (depth > AVRO_CALL_DEPTH_MAX) {
        fault = FAULT_DEPTH;
        goto failed;
    }
    for (;; step++) {
        struct value *const slot = &machine->slots[step->slot];
        switch ((enum avro_op)step->op) {
        case STEP_RETURN:
            machine->at = at;
            return FAULT_NONE;
        case STEP_JUMP:
            step = &program->steps[step->target] - 1;
            break;
        case STEP_CALL:
            machine->at = at;
            fault = avro_machine_run(machine, step->target, depth + 1);
            if (fault != FAULT_NONE)
                return fault;
            at = machine->at;
            break;
        case STEP_REFUSE:
            fault = FAULT_BRANCH_UNREADABLE;
            goto failed;

        case STEP_SKIP:
            CHECK(take(&at, end, step->size, &b));
            break;
        case STEP_SKIP_LONGS:
            for (uint32_t i = 0; i < step->size; i++)
                CHECK(read_long(&at, end, &x));
            break;
        case STEP_SKIP_BYTES:
            CHECK(take_run(&at, end, &b));
            break;
        case STEP_SKIP_ITEMS:
            machine->at = at;
            fault = skip_items(machine, step->size);
            at = machine->at;
            if (fault != FAULT_NONE)
                goto failed;
            break;
        case STEP_SKIP_BLOCKS:
            machine->at = at;
            machine->failed_step = UINT32_MAX;
            fault = skip_blocks(machine, step->target, depth);
            if (fault != FAULT_NONE && machine->failed_step != UINT32_MAX)
                return fault; /* within an item */
            at = machine->at;
            if (fault != FAULT_NONE)
                goto failed;
            break;

        case STEP_SET:
            *slot = program->constants[step->size];
            break;
        case STEP_COPY:
            *slot = machine->slots[step->size];
            break;

        case STEP_OPTION:
            CHECK(read_long(&at, end, &x));
            REFUSE_UNLESS((uint64_t)x <= 1, FAULT_BRANCH);
            if (x == step->detail)
                step = &program->steps[step->target] - 1;
            break;
        case STEP_OPTION_SLOT:
            CHECK(read_long(&at, end, &x));
            REFUSE_UNLESS((uint64_t)x <= 1, FAULT_BRANCH);
            if (x == step->detail) {
                set_kind(slot, VALUE_NULL);
                step = &program->steps[step->target] - 1;
            }
            break;
        case STEP_UNION:
            CHECK(read_long(&at, end, &x));
            REFUSE_UNLESS((uint64_t)x < step->size, FAULT_BRANCH);
            step = &program->steps[program->targets[step->target + (uint64_t)x]] - 1;
            break;

        case STEP_BOOL:
            CHECK(take(&at, end, 1, &b));
            REFUSE_UNLESS(b.data[0] <= 1, FAULT_BOOL);
            set_kind(slot, VALUE_BOOL)->b = b.data[0] == 1;
            break;
        case STEP_LONG:
            CHECK(read_long(&at, end, &x));
            REFUSE_UNLESS(!step->narrow || x == (int32_t)x, FAULT_INT_RANGE);
            set_kind(slot, VALUE_INT)->i = x;
            break;
        case STEP_MILLIS:
            CHECK(read_long(&at, end, &x));
            REFUSE_UNLESS(!step->narrow || x == (int32_t)x, FAULT_INT_RANGE);
            REFUSE_UNLESS(!__builtin_mul_overflow(x, 1000, &x), FAULT_TIME_RANGE);
            set_kind(slot, VALUE_TIMESTAMP)->i = x;
            break;
        case STEP_MICROS:
            CHECK(read_long(&at, end, &x));
            REFUSE_UNLESS(!step->narrow || x == (int32_t)x, FAULT_INT_RANGE);
            set_kind(slot, VALUE_TIMESTAMP)->i = x;
            break;
        case STEP_DATE:
            CHECK(read_long(&at, end, &x));
            REFUSE_UNLESS(x == (int32_t)x, FAULT_INT_RANGE);
            REFUSE_UNLESS(!__builtin_mul_overflow(x, INT64_C(86400000000), &x), FAULT_TIME_RANGE);
            set_kind(slot, VALUE_TIMESTAMP)->i = x;
            break;
        case STEP_LONG_TO_FLOAT:
            CHECK(read_long(&at, end, &x));
            REFUSE_UNLESS(!step->narrow || x == (int32_t)x, FAULT_INT_RANGE);
            set_double(slot, (double)(float)x);
            break;
        case STEP_LONG_TO_DOUBLE:
            CHECK(read_long(&at, end, &x));
            REFUSE_UNLESS(!step->narrow || x == (int32_t)x, FAULT_INT_RANGE);
            set_double(slot, (double)x);
            break;
        case STEP_FLOAT:
            CHECK(take(&at, end, sizeof(float), &b));
            set_double(slot, float_of(b));
            break;
        case STEP_DOUBLE:
            CHECK(take(&at, end, sizeof(double), &b));
            set_double(slot, double_of(b));
            break;
        case STEP_STRING:
            CHECK(take_run(&at, end, &b));
            REFUSE_UNLESS(utf8_valid(b), FAULT_UTF8);
            set_kind(slot, VALUE_STRING)->text = b;
            break;
        case STEP_BYTES:
            CHECK(take_run(&at, end, &b));
            set_kind(slot, VALUE_BYTES)->text = b;
            break;
        case STEP_FIXED:
            CHECK(take(&at, end, step->size, &b));
            set_kind(slot, VALUE_BYTES)->text = b;
            break;
        case STEP_DECIMAL:
            CHECK(take_run(&at, end, &b));
            REFUSE_UNLESS(value_decimal_of_bytes(slot, b, step->detail), FAULT_DECIMAL);
            break;
        case STEP_DECIMAL_FIXED:
            CHECK(take(&at, end, step->size, &b));
            REFUSE_UNLESS(value_decimal_of_bytes(slot, b, step->detail), FAULT_DECIMAL);
            break;
        case STEP_ENUM:
            CHECK(read_long(&at, end, &x));
            REFUSE_UNLESS((uint64_t)x < step->size, FAULT_SYMBOL);
            b = program->symbols[step->target + (uint64_t)x];
            REFUSE_UNLESS(b.data != NULL, FAULT_SYMBOL_UNKNOWN);
            set_kind(slot, VALUE_STRING)->text = b;
            break;
        }
    }

failed:
    machine->at = at;
    machine->failed_step = (uint32_t)(step - program->steps);
    return fault;
}

const char *avro_fault_text(enum avro_fault fault)
{
    static const char *const texts[FAULT_COUNT_] = {
        [FAULT_NONE] = "nothing is wrong",
        [FAULT_CUT_SHORT] = "the datum ends within it",
        [FAULT_VARINT] = "a number of more than 64 bits",
        [FAULT_INT_RANGE] = "an int of more than 32 bits",
        [FAULT_LENGTH] = "a negative length",
        [FAULT_COUNT] = "more items than the datum has room for",
        [FAULT_BRANCH] = "a branch that the writer's union does not have",
        [FAULT_BRANCH_UNREADABLE] =
            "a branch of the writer's union that the reader has no place for",
        [FAULT_BOOL] = "a boolean that is neither 0 nor 1",
        [FAULT_UTF8] = "text that is not UTF-8",
        [FAULT_SYMBOL] = "a symbol that the writer's enum does not have",
        [FAULT_SYMBOL_UNKNOWN] = "a symbol that the reader's enum does not have",
        [FAULT_DECIMAL] = "a decimal of more than 128 bits",
        [FAULT_TIME_RANGE] = "a time that does not fit 64 bits of microseconds",
        [FAULT_DEPTH] = "data nested too deep",
    };
    ENSURE((unsigned)fault < FAULT_COUNT_);
    return texts[fault];
}
