#include "processor/topology/loader.h"

const char *loader_node_text(const struct loader *loader, const struct node *node)
{
    struct buffer text;
    buffer_init(&text);
    node_format(&text, node);
    const char *copy = arena_copy_string(loader->arena, buffer_text(&text));
    buffer_fini(&text);
    return copy;
}
