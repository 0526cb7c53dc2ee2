#include "processor/cli/load.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/embedded.h"

bool load_embedded(void *context, const char *name, struct bytes *content)
{
    (void)context;
    static const char *const folders[] = { "schemas/", "topologies/", "" };
    const char *base = strrchr(name, '/');
    base = base == NULL ? name : base + 1;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", folders[i], base);
        const struct embedded_file *file = embedded_find(path);
        if (file != NULL) {
            *content = bytes_of(file->data, file->size);
            return true;
        }
    }
    return false;
}

static enum status load_named(struct plan **out, const char *name, const struct topology_options *options,
                              struct diagnostics *diagnostics, struct error *err)
{
    struct bytes text;
    if (access(name, R_OK) != 0 && strchr(name, '/') == NULL && load_embedded(NULL, name, &text))
        return topology_load_text(out, name, text, options, diagnostics, err);
    return topology_load_file(out, name, options, diagnostics, err);
}

enum status load_topology(struct plan **out, const struct arguments *arguments, const struct config *config,
                          struct error *err)
{
    if (arguments->operand_count != 1)
        return FAIL(err, ST_INVALID, "name one topology file");
    return load_topology_file(out, arguments->operands[0], arguments, config, err);
}

enum status load_topology_file(struct plan **out, const char *path, const struct arguments *arguments,
                               const struct config *config, struct error *err)
{
    const char *schemas = config == NULL || config->schemas[0] == '\0' ? NULL : config->schemas;
    const struct topology_options options = {
        .schemas_directory = arguments_text(arguments, "schemas", schemas),
        .find_embedded = load_embedded,
    };
    struct diagnostics diagnostics;
    struct buffer text;
    buffer_init(&text);
    diagnostics_init(&diagnostics, path);
    enum status st = load_named(out, path, &options, &diagnostics, err);
    diagnostics_format(&diagnostics, &text);
    fwrite(buffer_view(&text).data, 1, text.size, stderr);
    if (st == ST_INVALID && diagnostics.errors > 0)
        st = FAIL(err, ST_INVALID, "%s: %zu error%s", path, diagnostics.errors,
                  diagnostics.errors == 1 ? "" : "s");
    buffer_fini(&text);
    diagnostics_fini(&diagnostics);
    return st;
}

bool load_uses_avro(const struct plan *plan)
{
    bool avro = plan->alerts.format == FORMAT_AVRO;
    for (size_t i = 0; i < plan->stream_count; i++)
        avro |= plan->streams[i].format == FORMAT_AVRO;
    for (size_t i = 0; i < plan->table_count; i++)
        avro |= plan->tables[i].format == FORMAT_AVRO;
    return avro;
}
