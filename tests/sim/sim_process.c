#include "sim_process.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "sim_model.h"

static int find_topic(const struct sim_cluster *cluster, const char *name)
{
    for (size_t i = 0; i < cluster->topic_count; i++) {
        if (strcmp(cluster->topics[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

struct sim_process *sim_process_create(struct sim_cluster *cluster, const struct sim_client *client)
{
    struct sim_process *process = mem_alloc(sizeof *process);
    *process = (struct sim_process){
        .holders = 1,
        .cluster = cluster,
        .hook = client->hook,
        .hook_context = client->hook_context,
        .topics = mem_alloc_array(client->topic_count + 1, sizeof *process->topics),
        .topic_count = client->topic_count,
    };
    for (size_t i = 0; i < client->topic_count; i++)
        process->topics[i] = find_topic(cluster, client->topics[i]);
    return process;
}

struct sim_process *sim_process_acquire(struct sim_process *process)
{
    process->holders++;
    return process;
}

void sim_process_release(struct sim_process *process)
{
    if (--process->holders > 0)
        return;
    mem_free(process->topics);
    mem_free(process);
}

enum status sim_process_pass(struct sim_process *process, enum sim_call call,
                             enum sim_moment moment, struct error *err)
{
    if (!process->dead && process->hook != NULL) {
        const enum status st = process->hook(process->hook_context, call, moment);
        if (st != ST_OK)
            return FAIL(err, st, "the hook of call %d", (int)call);
    }
    /* It may have died in the hook. */
    return process->dead ? FAIL(err, ST_INTERRUPTED, "the process is dead") : ST_OK;
}
