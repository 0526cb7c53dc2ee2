#include "state/fact_columns.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

bool fact_kind_tells(enum fact_kind kind, struct value_type type)
{
    switch (kind) {
    case FACT_NUMBER:
        return type.kind == VALUE_INT || type.kind == VALUE_DECIMAL || type.kind == VALUE_TIMESTAMP ||
               type.kind == VALUE_DURATION;
    case FACT_CODE: return true;
    case FACT_ID: return false;
    }
    UNREACHABLE();
}

void fact_form_set_columns(struct fact_form *form, const struct fact_column *columns, size_t count)
{
    ENSURE(form->columns == NULL && count > 0 && count <= FACT_COLUMNS_MAX);
    form->columns = mem_alloc_array(count, sizeof *columns);
    form->column_count = count;
    form->told_bytes_max = count * FACT_COLUMN_BYTES_MAX;
    for (size_t i = 0; i < count; i++) {
        ENSURE(columns[i].word > 0 && columns[i].word < form->word_count);
        form->columns[i] = columns[i];
        form->columns[i].at = form->slots[columns[i].word - 1].at;
    }
}

bool fact_columns_are_told(const struct fact_form *form, const struct value *columns, const uint64_t *words)
{
    bool told = form->column_count > 0 && (words[0] & FACT_WIDE) == 0;
    for (size_t i = 0; i < form->column_count; i++) {
        const struct fact_column *column = &form->columns[i];
        told &= columns[i].kind != VALUE_NULL && (column->kind != FACT_CODE || words[column->word] != 0);
    }
    return told;
}

/* The text, or the stored form, that is the code: it is read where it lies, its first byte is the word's lowest. */
static struct bytes code_of(const struct fact_view *view, const struct fact_column *column)
{
    const uint8_t *at = view->at;
    switch (view->width) {
    case FACTS_SMALL: at = (const void *)&view->form->codes->codes[at[column->at.small]]; break;
    case FACTS_NARROW: at += column->at.narrow; break;
    case FACTS_LONG: at += column->at.longs; break;
    case FACTS_WIDE: at += column->word * sizeof(uint64_t); break;
    }
    const size_t size_at = (view->width == FACTS_NARROW ? sizeof(uint32_t) : sizeof(uint64_t)) - 1;
    return bytes_of(at, (size_t)at[size_at] - 1);
}

static bool is_text(const struct fact_column *column)
{
    return column->type.kind == VALUE_STRING || column->type.kind == VALUE_BYTES;
}

static void read_number(const struct fact_column *column, int64_t number, struct value *out)
{
    if (column->type.kind == VALUE_DECIMAL)
        value_set_decimal(out, number, column->type.scale);
    else
        value_set_integer(out, column->type.kind, number);
}

void fact_columns_read(const struct fact_view *view, struct value *columns)
{
    for (size_t i = 0; i < view->form->column_count; i++) {
        const struct fact_column *column = &view->form->columns[i];
        if (column->kind == FACT_NUMBER) {
            read_number(column, fact_number(view, column->word, column->at), &columns[i]);
            continue;
        }
        const struct bytes code = code_of(view, column);
        if (is_text(column)) {
            columns[i] = (struct value){ .kind = (uint8_t)column->type.kind, .text = code };
            continue;
        }
        struct reader in = reader_of(code);
        const enum status st = value_read(&columns[i], &in, column->type, NULL);
        ENSURE(st == ST_OK && reader_done(&in));
    }
}

/* A code is a word of which the lowest bytes are the text, and the highest its size + 1. */
static uint8_t *write_code(const struct fact_column *column, uint64_t code, uint8_t *at)
{
    enum { SIZE_AT = 56 };
    const size_t size = (size_t)(code >> SIZE_AT) - 1;
    if (is_text(column))
        *at++ = (uint8_t)(size + 1);
    memcpy(at, &code, sizeof code);
    return at + size;
}

uint8_t *fact_columns_write(const struct fact_view *view, uint8_t *at)
{
    for (size_t i = 0; i < view->form->column_count; i++) {
        const struct fact_column *column = &view->form->columns[i];
        at = column->kind == FACT_NUMBER
                 ? value_write_integer(at, fact_number(view, column->word, column->at))
                 : write_code(column, fact_code(view, column->word, column->at), at);
    }
    return at;
}
