/*
 * sim_process: what a port and its readers share: the process that they live in, its hook, and
 * which topics its numbers mean. Counted, as readers may outlive their port.
 */
#ifndef WEIR_TESTS_SIM_PROCESS_H
#define WEIR_TESTS_SIM_PROCESS_H

#include "sim_cluster.h"

struct sim_process {
    uint32_t holders;
    struct sim_cluster *cluster;
    sim_hook_fn *hook;
    void *hook_context;
    bool dead;
    int *topics; /* the cluster's, by the process's numbers; -1: there is none */
    size_t topic_count;
};

struct sim_process *sim_process_create(struct sim_cluster *cluster,
                                       const struct sim_client *client);
struct sim_process *sim_process_acquire(struct sim_process *process);
void sim_process_release(struct sim_process *process);
/* The hook; ST_INTERRUPTED once the process is dead. */
MUST_CHECK enum status sim_process_pass(struct sim_process *process, enum sim_call call,
                                        enum sim_moment moment, struct error *err);

void sim_reader_open(struct log_reader **out, struct sim_process *process);

#endif
