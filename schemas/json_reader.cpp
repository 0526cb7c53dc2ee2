/* json_reader.h tells why only simdjson's first stage is used. */
#include "schemas/json_reader.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>

#include <simdjson.h>

struct json_reader {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

enum { CAPACITY_MIN = 4096, DEPTH_UNUSED = 1 };

extern "C" void json_reader_create(struct json_reader **out)
{
    *out = new json_reader;
}

extern "C" void json_reader_destroy(struct json_reader **reader)
{
    delete *reader;
    *reader = nullptr;
}

/* Grows by doubling, so that a slowly growing stream of records does not allocate each time. */
static simdjson::error_code reserve(struct json_reader *reader, size_t size)
{
    size_t capacity = CAPACITY_MIN;
    while (capacity < size)
        capacity *= 2;
    if (reader->parser == nullptr)
        return simdjson::get_active_implementation()->create_dom_parser_implementation(
            capacity, DEPTH_UNUSED, reader->parser);
    return reader->parser->capacity() >= size ? simdjson::SUCCESS
                                              : reader->parser->set_capacity(capacity);
}

static const char *fault_of(simdjson::error_code code)
{
    switch (code) {
    case simdjson::SUCCESS:
        return nullptr;
    case simdjson::EMPTY:
        return "it is empty";
    case simdjson::UTF8_ERROR:
        return "it is not UTF-8";
    case simdjson::UNESCAPED_CHARS:
        return "a string holds a raw control character";
    case simdjson::UNCLOSED_STRING:
        return "a string is not closed";
    default:
        return "it has no tokens of JSON";
    }
}

extern "C" const char *json_reader_scan(struct json_reader *reader, const uint32_t **starts,
                                        size_t *count, const uint8_t *text, size_t size)
{
    if (size == 0)
        return fault_of(simdjson::EMPTY);
    if (size > JSON_TEXT_MAX)
        return "it is larger than 16 MiB";
    if (reserve(reader, size) != simdjson::SUCCESS)
        std::abort(); /* out of memory: as mem_alloc does */
    const auto code = reader->parser->stage1(text, size, simdjson::stage1_mode::regular);
    *starts = reader->parser->structural_indexes.get();
    *count = code == simdjson::SUCCESS ? reader->parser->n_structural_indexes : 0;
    return fault_of(code);
}

extern "C" bool json_double(double *out, const uint8_t *text, size_t size)
{
    const char *begin = reinterpret_cast<const char *>(text);
    const auto result = std::from_chars(begin, begin + size, *out);
    if (result.ec == std::errc())
        return true;
    /*
     * Releases of libstdc++ differ on what is too small; strtod tells it from too large. No locale
     * is ever set.
     */
    *out = std::strtod(std::string(begin, size).c_str(), nullptr);
    return std::isfinite(*out);
}
