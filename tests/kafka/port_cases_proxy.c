/* Cases that need the proxy of test_port.py between us and the broker. */
#include <unistd.h>

#include "port_world.h"

/* The proxy cuts the connection under the first EndTxn; the client repeats it and says nothing. */
static void a_cut_connection_taints(struct world *world)
{
    struct log_port *port = world_port(world, NULL);
    MUST(port->type->producer_open(port, &failure));
    port_join(port, PARTITIONS);
    port_read_from(port, TOPIC_IN, 0, PARTITIONS, 0);
    CHECK(!port->type->tainted(port), "before anything happened");
    port_transaction(port, 1, "one");
    CHECK(port->type->tainted(port), "the cut was not noticed");
    CHECK(port_committed(port) == 1, "the commit");

    /* The rule: a new producer before the next begin. The request that the proxy may still hold
       back, "commit", arrives while this transaction is open, and must not reach it. */
    const int64_t started_ms = world_ms();
    MUST(port->type->producer_open(port, &failure));
    CHECK(world_ms() - started_ms < 1000, "%lld ms", (long long)(world_ms() - started_ms));
    CHECK(!port->type->tainted(port), "it is a new one");
    port_open_transaction(port, 2, "two");
    usleep(1500 * 1000);
    MUST(port->type->abort(port, &failure));
    CHECK(port_committed(port) == 1, "an aborted transaction was committed");
    struct log_reader *reader = world_reader(world);
    CHECK(reader_count(reader, TOPIC_OUT, 0, 0, NULL) == 1, "an aborted record is visible");
    reader->type->close(reader);
    port_transaction(port, 3, "three");
    port->type->close(port);
}

const struct conformance_case cases_proxy[] = {
    { "a_cut_connection_taints", a_cut_connection_taints },
    { NULL, NULL },
};
