#include <avro.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "avro_random.h"
#include "base/memory.h"
#include "schemas/avro_input.h"
#include "schemas/avro_output.h"
#include "schemas/snappy.h"

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
    "{\"name\":\"a\",\"type\":\"long\"},{\"name\":\"b\",\"type\":\"string\"}]}";

enum { DATUM_MAX = 1 << 16 };

/* A path of its own for each test; the file is removed by drop(). */
static char *temporary_path(void)
{
    char *path = mem_copy_string("/tmp/weir-avro-file-XXXXXX");
    const int file = mkstemp(path);
    cr_assert_geq(file, 0);
    close(file);
    return path;
}

static void drop(char *path)
{
    unlink(path);
    mem_free(path);
}

static struct bytes make_datum(struct buffer *out, int64_t i)
{
    buffer_clear(out);
    buffer_put_zigzag(out, i);
    buffer_put_zigzag(out, i % 50);
    for (int64_t k = 0; k < i % 50; k++)
        buffer_put_u8(out, (uint8_t)('a' + (i + k) % 26));
    return buffer_view(out);
}

static void write_file(const char *path, const char *codec, int count)
{
    struct avro_output *writer = NULL;
    struct error err;
    struct buffer datum;
    buffer_init(&datum);
    cr_assert_eq(avro_output_create(&writer, path, bytes_of_string(schema), codec, &err), ST_OK,
                 "%s", err.text);
    for (int i = 0; i < count; i++)
        cr_assert_eq(avro_output_append(writer, make_datum(&datum, i), &err), ST_OK, "%s",
                     err.text);
    cr_assert_eq(avro_output_finish(&writer, &err), ST_OK, "%s", err.text);
    cr_assert_null(writer);
    buffer_fini(&datum);
}

static void check_file(const char *path, int count)
{
    struct avro_input *reader = NULL;
    struct error err;
    struct buffer expected;
    buffer_init(&expected);
    cr_assert_eq(avro_input_open(&reader, path, &err), ST_OK, "%s", err.text);
    cr_assert_str_eq(avro_input_root(reader)->name, "R");
    bool end = false;
    struct bytes datum;
    for (int i = 0; i < count; i++) {
        cr_assert_eq(avro_input_next(reader, &datum, &end, &err), ST_OK, "%s", err.text);
        cr_assert(!end && bytes_equal(datum, make_datum(&expected, i)), "datum %d", i);
    }
    for (int i = 0; i < 2; i++) { /* the end stays the end */
        cr_assert_eq(avro_input_next(reader, &datum, &end, &err), ST_OK, "%s", err.text);
        cr_assert(end);
    }
    avro_input_close(&reader);
    buffer_fini(&expected);
}

Test(avro_file, reads_back_what_it_wrote)
{
    static const char *const codecs[] = { NULL, "null", "deflate" };
    static const int counts[] = { 0, 1, 3, 20000 };
    char *path = temporary_path();
    for (size_t c = 0; c < 3; c++)
        for (size_t n = 0; n < 4; n++) {
            write_file(path, codecs[c], counts[n]);
            check_file(path, counts[n]);
        }
    drop(path);
}

/* So much smaller packed that nobody would guess how large it is. */
Test(avro_file, a_datum_of_one_letter_comes_back)
{
    enum { LETTERS = 3000000 };
    char *path = temporary_path();
    struct avro_output *writer = NULL;
    struct avro_input *reader = NULL;
    struct error err;
    struct buffer datum;
    buffer_init(&datum);
    buffer_put_zigzag(&datum, 7);
    buffer_put_zigzag(&datum, LETTERS);
    memset(buffer_extend(&datum, LETTERS), 'x', LETTERS);
    cr_assert_eq(avro_output_create(&writer, path, bytes_of_string(schema), "deflate", &err), ST_OK, "%s", err.text);
    cr_assert_eq(avro_output_append(writer, buffer_view(&datum), &err), ST_OK, "%s", err.text);
    cr_assert_eq(avro_output_finish(&writer, &err), ST_OK, "%s", err.text);
    struct bytes found;
    bool end;
    cr_assert_eq(avro_input_open(&reader, path, &err), ST_OK, "%s", err.text);
    cr_assert_eq(avro_input_next(reader, &found, &end, &err), ST_OK, "%s", err.text);
    cr_expect(!end && bytes_equal(found, buffer_view(&datum)));
    avro_input_close(&reader);
    buffer_fini(&datum);
    drop(path);
}

Test(avro_file, keeps_the_text_of_the_schema)
{
    char *path = temporary_path();
    write_file(path, NULL, 1);
    struct avro_input *reader = NULL;
    cr_assert_eq(avro_input_open(&reader, path, NULL), ST_OK);
    cr_assert(bytes_equal(avro_input_schema(reader), bytes_of_string(schema)));
    avro_input_close(&reader);
    drop(path);
}

static void load(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "rb");
    uint8_t piece[4096];
    buffer_clear(out);
    for (size_t size; (size = fread(piece, 1, sizeof piece, file)) > 0;)
        buffer_put(out, piece, size);
    fclose(file);
}

static void store(const char *path, struct bytes content)
{
    FILE *file = fopen(path, "wb");
    cr_assert_eq(fwrite(content.data, 1, content.size, file), content.size);
    fclose(file);
}

Test(avro_file, same_datums_give_the_same_file)
{
    char *one = temporary_path(), *two = temporary_path();
    struct buffer a, b;
    buffer_init(&a);
    buffer_init(&b);
    write_file(one, "deflate", 5000);
    write_file(two, "deflate", 5000);
    load(one, &a);
    load(two, &b);
    cr_assert(bytes_equal(buffer_view(&a), buffer_view(&b)));
    buffer_fini(&a);
    buffer_fini(&b);
    drop(one);
    drop(two);
}

Test(avro_file, reads_through_gzip)
{
    char *path = temporary_path();
    struct buffer content;
    buffer_init(&content);
    write_file(path, NULL, 1000);
    load(path, &content);
    gzFile out = gzopen(path, "wb");
    cr_assert_eq(gzwrite(out, content.data, (unsigned)content.size), (int)content.size);
    gzclose(out);
    check_file(path, 1000);

    load(path, &content); /* cut short */
    store(path, bytes_of(content.data, content.size - 20));
    struct avro_input *reader = NULL;
    struct error err;
    struct bytes datum;
    bool end = false;
    enum status status = avro_input_open(&reader, path, &err);
    while (status == ST_OK && !end)
        status = avro_input_next(reader, &datum, &end, &err);
    cr_assert_eq(status, ST_CORRUPT);
    avro_input_close(&reader);
    buffer_fini(&content);
    drop(path);
}

/* ---- avro-c on the other side ---- */

static void check_with_avro_c(const char *path, int count)
{
    avro_file_reader_t reader;
    cr_assert_eq(avro_file_reader(path, &reader), 0, "%s", avro_strerror());
    avro_schema_t writer = avro_file_reader_get_writer_schema(reader);
    avro_value_iface_t *class = avro_generic_class_from_schema(writer);
    avro_value_t value, field;
    avro_generic_value_new(class, &value);
    int read = 0;
    for (; avro_file_reader_read_value(reader, &value) == 0; read++) {
        int64_t a = -1;
        avro_value_get_by_index(&value, 0, &field, NULL);
        avro_value_get_long(&field, &a);
        cr_assert_eq(a, read);
        avro_value_reset(&value);
    }
    cr_assert_eq(read, count);
    avro_value_decref(&value);
    avro_value_iface_decref(class);
    avro_schema_decref(writer);
    avro_file_reader_close(reader);
}

Test(avro_file, avro_c_reads_what_we_write)
{
    char *path = temporary_path();
    write_file(path, "null", 5000);
    check_with_avro_c(path, 5000);
    write_file(path, "deflate", 5000);
    check_with_avro_c(path, 5000);
    drop(path);
}

/* Random data under a random schema, in one file per codec. */
static void check_against_avro_c(struct prng *prng, const char *path, const char *codec)
{
    struct buffer text, same;
    buffer_init(&text);
    buffer_init(&same);
    random_schemas(prng, &text, &same, false);
    avro_schema_t random_schema;
    cr_assert_eq(avro_schema_from_json_length((char *)text.data, text.size, &random_schema), 0);
    avro_value_iface_t *class = avro_generic_class_from_schema(random_schema);
    avro_file_writer_t writer;
    unlink(path);
    cr_assert_eq(avro_file_writer_create_with_codec(path, random_schema, &writer, codec, 0), 0,
                 "%s", avro_strerror());
    struct buffer all; /* length-prefixed datums */
    buffer_init(&all);
    char *datum = mem_alloc(DATUM_MAX);
    const int count = (int)prng_below(prng, 300);
    for (int i = 0; i < count; i++) {
        avro_value_t value;
        avro_generic_value_new(class, &value);
        random_value_fill(prng, &value);
        avro_writer_t memory = avro_writer_memory(datum, DATUM_MAX);
        cr_assert_eq(avro_value_write(memory, &value), 0);
        buffer_put_run(&all, bytes_of(datum, (size_t)avro_writer_tell(memory)));
        avro_writer_free(memory);
        cr_assert_eq(avro_file_writer_append_value(writer, &value), 0, "%s", avro_strerror());
        avro_value_decref(&value);
    }
    cr_assert_eq(avro_file_writer_close(writer), 0);

    struct avro_input *reader = NULL;
    struct error err;
    struct reader expected = reader_of(buffer_view(&all));
    cr_assert_eq(avro_input_open(&reader, path, &err), ST_OK, "%s", err.text);
    bool end = false;
    struct bytes got;
    for (int i = 0; i <= count; i++) {
        cr_assert_eq(avro_input_next(reader, &got, &end, &err), ST_OK,
                     "TEST_SEED=%lu %s datum %d: %s", (unsigned long)prng->seed, codec, i,
                     err.text);
        cr_assert_eq(end, i == count);
        cr_assert(end || bytes_equal(got, reader_run(&expected)), "TEST_SEED=%lu %s datum %d",
                  (unsigned long)prng->seed, codec, i);
    }
    avro_input_close(&reader);
    mem_free(datum);
    buffer_fini(&all);
    avro_value_iface_decref(class);
    avro_schema_decref(random_schema);
    buffer_fini(&text);
    buffer_fini(&same);
}

Test(avro_file, reads_what_avro_c_writes)
{
    static const char *const codecs[] = { "null", "deflate", "snappy" };
    struct prng prng = prng_from_env("TEST_SEED", 31);
    char *path = temporary_path();
    for (int round = 0; round < 20; round++)
        for (size_t c = 0; c < 3; c++)
            check_against_avro_c(&prng, path, codecs[c]);
    drop(path);
}

/* ---- what is refused ---- */

/* Reads all; gives the first status that is not ok, and how many datums came before it. */
static enum status read_all(const char *path, int *count, struct error *err)
{
    struct avro_input *reader = NULL;
    struct bytes datum;
    bool end = false;
    *count = -1;
    TRY(avro_input_open(&reader, path, err));
    enum status status = ST_OK;
    while (status == ST_OK && !end) {
        ++*count;
        status = avro_input_next(reader, &datum, &end, err);
    }
    avro_input_close(&reader);
    return status;
}

Test(avro_file, a_file_cut_anywhere_is_corrupt_except_between_blocks)
{
    static const char *const codecs[] = { "null", "deflate" };
    char *path = temporary_path();
    struct buffer content;
    buffer_init(&content);
    for (size_t c = 0; c < 2; c++) {
        write_file(path, codecs[c], 40);
        load(path, &content);
        int whole = 0;
        for (size_t size = 0; size < content.size; size++) {
            struct error err;
            int count;
            store(path, bytes_of(content.data, size));
            const enum status status = read_all(path, &count, &err);
            whole += status == ST_OK;
            cr_assert(status == ST_CORRUPT || (status == ST_OK && count == 0), "%zu: %s", size,
                      status_name(status));
        }
        cr_assert_eq(whole, 1, "the header alone is a file without datums");
    }
    buffer_fini(&content);
    drop(path);
}

Test(avro_file, damage_never_crashes)
{
    static const char *const codecs[] = { "null", "deflate" };
    struct prng prng = prng_from_env("TEST_SEED", 32);
    char *path = temporary_path();
    struct buffer content;
    buffer_init(&content);
    for (int round = 0; round < 600; round++) {
        write_file(path, codecs[round % 2], 40);
        load(path, &content);
        for (uint64_t flips = 1 + prng_below(&prng, 3); flips > 0; flips--)
            content.data[prng_below(&prng, content.size)] ^= (uint8_t)(1 << prng_below(&prng, 8));
        store(path, buffer_view(&content));
        struct error err;
        int count;
        const enum status status = read_all(path, &count, &err);
        cr_assert(status == ST_OK || status == ST_CORRUPT || status == ST_INVALID,
                  "TEST_SEED=%lu round %d: %s %s", (unsigned long)prng.seed, round,
                  status_name(status), err.text);
    }
    buffer_fini(&content);
    drop(path);
}

Test(avro_file, a_block_without_its_sync_marker_is_corrupt)
{
    char *path = temporary_path();
    struct buffer content;
    struct error err;
    int count;
    buffer_init(&content);
    write_file(path, NULL, 40);
    load(path, &content);
    content.data[content.size - 1] ^= 1;
    store(path, buffer_view(&content));
    cr_assert_eq(read_all(path, &count, &err), ST_CORRUPT);
    cr_assert(strstr(err.text, "block 1: the sync marker is missing") != NULL, "%s", err.text);
    buffer_fini(&content);
    drop(path);
}

Test(avro_file, says_what_is_wrong)
{
    struct avro_input *reader = NULL;
    struct avro_output *writer = NULL;
    struct error err;
    char *path = temporary_path();
    cr_assert_eq(avro_input_open(&reader, "/nowhere/x.avro", &err), ST_NOT_FOUND);
    cr_assert(strstr(err.text, "/nowhere/x.avro") != NULL, "%s", err.text);
    cr_assert_eq(avro_input_open(&reader, "/", &err), ST_IO_FAILED);

    store(path, BYTES_LITERAL("{\"not\":\"avro\"}"));
    cr_assert_eq(avro_input_open(&reader, path, &err), ST_CORRUPT);
    cr_assert(strstr(err.text, "no Avro file") != NULL, "%s", err.text);
    store(path, BYTES_LITERAL("Obj\x01\x02\x14"
                              "avro.codec\x12"
                              "zstandard\x00"));
    cr_assert_eq(avro_input_open(&reader, path, &err), ST_INVALID);
    cr_assert(strstr(err.text, "'zstandard' is not supported") != NULL, "%s", err.text);
    store(path, BYTES_LITERAL("Obj\x01\x00"
                              "0123456789abcdef"));
    cr_assert_eq(avro_input_open(&reader, path, &err), ST_CORRUPT);
    cr_assert(strstr(err.text, "no schema") != NULL, "%s", err.text);

    const struct bytes text = bytes_of_string(schema);
    cr_assert_eq(avro_output_create(&writer, "/nowhere/x.avro", text, NULL, &err), ST_IO_FAILED);
    cr_assert_eq(avro_output_create(&writer, path, BYTES_LITERAL("{"), NULL, &err), ST_INVALID);
    cr_assert_eq(avro_output_create(&writer, path, text, "snappy", &err), ST_INVALID);
    cr_assert_eq(avro_output_create(&writer, path, text, "lzma", &err), ST_INVALID);
    cr_assert_eq(avro_output_create(&writer, "/dev/full", text, NULL, &err), ST_OK);
    cr_assert_eq(avro_output_finish(&writer, &err), ST_DISK_FULL, "%s", err.text);
    drop(path);
}

Test(avro_file, snappy_refuses_what_no_compressor_writes)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *plain; /* NULL: refused */
    } rows[] = {
        { "\x00", 1, "" },
        { "\x03\x08"
          "abc",
          5, "abc" },
        { "\x06\x04"
          "ab\x01\x02",
          6, "ababab" }, /* copies what it has just written */
        { "\x04\x04"
          "ab\x06\x02\x00",
          7, "abab" }, /* two-byte distance */
        { "\x04\x04"
          "ab\x07\x02\x00\x00\x00",
          9, "abab" },
        { "\x03\xf0\x02"
          "abc",
          6, "abc" }, /* size in a byte of its own */
        { "", 0, NULL },
        { "\x04\x08"
          "abc",
          5, NULL }, /* too short */
        { "\x02\x08"
          "abc",
          5, NULL }, /* too long */
        { "\x06\x04"
          "ab\x01\x03",
          6, NULL }, /* from before the start */
        { "\x06\x04"
          "ab\x01\x00",
          6, NULL }, /* from nowhere */
        { "\x05\x04"
          "ab\x01\x02",
          6, NULL }, /* beyond the end */
        { "\x03\x08"
          "ab",
          4, NULL },
        { "\x04\x04"
          "ab\x06\x02",
          6, NULL },
        { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer out;
        buffer_init(&out);
        buffer_put_string(&out, "before");
        const struct bytes packed = bytes_of(rows[i].bytes, rows[i].size);
        cr_assert_eq(snappy_decompress(&out, packed, 1000, NULL),
                     rows[i].plain != NULL ? ST_OK : ST_CORRUPT, "row %zu", i);
        if (rows[i].plain != NULL)
            cr_assert_str_eq(buffer_text(&out) + 6, rows[i].plain, "row %zu", i);
        buffer_fini(&out);
    }
}
