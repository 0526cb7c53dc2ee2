#include "processor/kafka/kafka_members.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

struct kafka_members {
    struct members_port base;
    struct kafka_admin *admin;
    char *group;
};

static void members_close(struct members_port *port)
{
    struct kafka_members *members = (struct kafka_members *)port;
    kafka_admin_close(&members->admin);
    mem_free(members->group);
    mem_free(members);
}

void kafka_members_of(struct members *out, const struct kafka_group *group)
{
    *out = (struct members){ .stable = strcmp(group->state, "Stable") == 0 };
    for (size_t i = 0; i < group->member_count; i++) {
        if (group->members[i].id != NULL)
            members_add(out, group->members[i].id, group->members[i].instance_id);
    }
    members_sort(out);
}

static enum status members_read(struct members_port *port, struct members *out, struct error *err)
{
    struct kafka_members *members = (struct kafka_members *)port;
    struct kafka_group group;
    TRY(kafka_admin_describe_group(members->admin, members->group, &group, err));
    kafka_members_of(out, &group);
    kafka_group_fini(&group);
    return ST_OK;
}

static const struct members_port_type type = {
    .close = members_close,
    .read = members_read,
};

enum status kafka_members_open(struct members_port **out, const struct kafka_port_options *options,
                               struct error *err)
{
    ENSURE(*out == NULL && options->group_id != NULL);
    struct kafka_admin *admin = NULL;
    TRY(kafka_admin_open(&admin, options, err));
    struct kafka_members *members = mem_alloc(sizeof *members);
    members->base.type = &type;
    members->admin = admin;
    members->group = mem_copy_string(options->group_id);
    *out = &members->base;
    return ST_OK;
}
