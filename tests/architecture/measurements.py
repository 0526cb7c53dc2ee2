"""Rows of the tables in docs/performance.md, and what its plots show, from what the benchmarks left in docs/evidence."""

import json

SYSTEMS = {"weir": "weir", "rival": "Kafka Streams", "rival-20ms": "Kafka Streams, 20 ms", "rival-100ms": "Kafka Streams, 100 ms",
           "floor": "the empty loop"}
COMMIT_MS = 100
DISTRIBUTIONS = {"mandelbrot": "Zipf–Mandelbrot", "uniform": "uniform", "zipf": "plain Zipf"}


def evidence(root, pattern):
    """(name, what is in it) of every file that there is."""
    return [(path.stem, json.loads(path.read_text())) for path in sorted((root / "docs/evidence").glob(f"{pattern}.json"))]


# What docs/plots/NAME.svg is drawn from.
PLOTS = {"drain": "drain-*", "latency": "latency", "growth": "growth", "restart": "restart"}


def shown_by(root, plot):
    """As a plot says it: the evidence, and the commits that it is of."""
    return "; ".join(f"{name}.json {figures['commit'][:12]}" for name, figures in evidence(root, PLOTS[plot]))


def three(figure, form="{:,.1f}"):
    """Median [least–most]"""
    return "{} [{}–{}]".format(*(form.format(each) for each in figure))


def where(figures):
    return f"`{figures['commit'][:7]}`"


def drained(name, figures):
    return f"{figures['users']:,} users, {DISTRIBUTIONS[figures['distribution']]}" + \
        (f", {figures['commit_ms']} ms between commits" if figures.get("commit_ms", COMMIT_MS) != COMMIT_MS else "") + \
        (", dedupe and all columns" if name.endswith("-all") else "")


def drained_within(name, figures):
    """With weir's `memory`, and whether the rival was set up to have as much."""
    each = "" if figures["rival_mb"] is None else " each"
    return drained(name.removesuffix(f"-{figures['memory']}"), figures) + f", {figures['memory']}{each}"


def drains(root):
    for name, figures in evidence(root, "drain-*"):
        for who, of in figures["medians"].items():
            yield (drained_within(name, figures), SYSTEMS[who], three(of["cpu_s_per_million"], "{:.2f}"), three(of["events_per_s"], "{:,.0f}"),
                   three(of["broker_cpu_s_per_million"], "{:.2f}"), f"{sum(of['bytes_per_event'].values()):,.0f}",
                   three(of["peak_mb"], "{:,.0f}"), str(figures["runs"]), where(figures))


def drain_ratios(root):
    for name, figures in evidence(root, "drain-*"):
        weir, rival = (figures["medians"].get(who) for who in ("weir", "rival"))
        if weir and rival:
            yield (drained_within(name, figures),
                   *(f"{weir[figure][0] / rival[figure][0]:.2f}" for figure in
                     ("cpu_s_per_million", "events_per_s", "broker_cpu_s_per_million")),
                   f"{sum(weir['bytes_per_event'].values()) / sum(rival['bytes_per_event'].values()):.2f}",
                   f"{weir['peak_mb'][0] / rival['peak_mb'][0]:.2f}")


def latencies(root):
    for _, figures in evidence(root, "latency"):
        for cell in figures["cells"]:
            yield (f"{cell['asked']} %", f"{cell['rate']:,}", SYSTEMS[cell["who"]],
                   *(three(cell[name]) for name in ("p50", "p99", "p99.9")), f"{cell['alerts']:,}",
                   f"{cell['commits_per_s']:.0f}", f"{cell['partitions_per_commit']:.1f}", f"{cell['peak_mb']:.0f}",
                   str(cell["runs"]), where(figures))


def bursts(root):
    for _, figures in evidence(root, "burst"):
        for run in figures["bursts"]:
            yield (SYSTEMS[run["who"]], f"{run['base']:,} → {run['burst']:,}", f"{run['largest_lag']:,}",
                   "never" if run["drained_s"] is None else f"{run['drained_s']:.1f}", f"{run['peak_mb']:,.0f}",
                   *(" / ".join(f"{run['by_phase_ms'][phase][name]:,.1f}" for name in ("p50", "p99", "p99.9"))
                     for phase in ("before", "burst", "after")), f"{run['latency_ms']['alerts']:,}", where(figures))


def growths(root):
    for _, figures in evidence(root, "growth"):
        for row in figures["growth"]:
            yield (row["group"], row["name"], three([row[name] for name in ("ns", "least", "most")], "{:,.0f}"),
                   f"{row['ratio']:.2f}", f"{row['tail_bytes']:.0f}", f"{row['memory_bytes'] / row['users']:,.0f}",
                   str(figures["runs"]), where(figures))


def live_growths(root):
    for _, figures in evidence(root, "live-growth"):
        for row in figures["growth"]:
            yield (row["group"], row["name"], three(row["cpu_s_per_million"], "{:,.2f}"), f"{row['ratio']:.2f}",
                   f"{row['events_per_s']:,.0f}", f"{row['peak_mb']:,.0f}", str(figures["runs"]), where(figures))


def backtests(root):
    for _, figures in evidence(root, "backtest"):
        of = figures["medians"]
        yield (f"{figures['events']:,}", f"{figures['users']:,}", three(of["events_per_s"], "{:,.0f}"),
               three(of["cpu_s_per_million"], "{:.2f}"), str(figures["runs"]), where(figures))


def capacities(root):
    """Each: what was estimated, for what was measured."""
    for _, figures in evidence(root, "capacity"):
        for cell in figures["cells"]:
            told, disk = cell["estimated"], cell["disk_mb"][0]
            yield (drained("-all" if cell["remember_all"] else "", cell) + f", {cell['memory']}",
                   f"{told['event_ns'] / 1000:.1f} for {cell['cpu_s_per_million'][0]:.1f}",
                   f"{told['tail_bytes_per_event']:.0f} for {cell['bytes_per_event']['tail']:.0f}",
                   f"{told['changelog_bytes_per_event']:.0f} for {cell['bytes_per_event']['changelog']:.0f}",
                   f"{told['disk_bytes_per_pod'] / 1e6:,.0f} for {disk:,.0f}", str(figures["runs"]), where(figures))


def restarts(root):
    for _, figures in evidence(root, "restart"):
        for who, states in figures["medians"].items():
            for state, of in states.items():
                yield (SYSTEMS[who], state, three(of["first_alert_s"]), three(of["last_partition_s"]),
                       f"{of['rows_per_s'][0]:,.0f}" if "rows_per_s" in of else "", str(figures["runs"]), where(figures))


def card_fraud(root):
    rows = [("records per second", "records_per_s", "{:,.0f}"), ("CPU-seconds per million records", "cpu_s_per_million", "{:.2f}"),
            ("the broker's CPU-seconds per million records", "broker_cpu_s_per_million", "{:.2f}"),
            ("bytes that the broker appends per record", "log_bytes_per_event", "{:,.0f}"), ("peak memory, MB", "peak_mb", "{:,.0f}")]
    for _, figures in evidence(root, "bench"):
        for title, key, form in rows:
            yield (title, *(three(figures["summary"][way][key], form) if key in figures["summary"][way] else ""
                            for way in ("drain", "backtest_export", "backtest_csv")), where(figures))


# By the file that a table is made from.
TABLES = {
    "docs/evidence/drain": drains,
    "docs/evidence/drain.ratio": drain_ratios,
    "docs/evidence/latency.json": latencies,
    "docs/evidence/burst.json": bursts,
    "docs/evidence/growth.json": growths,
    "docs/evidence/live-growth.json": live_growths,
    "docs/evidence/backtest.json": backtests,
    "docs/evidence/capacity.json": capacities,
    "docs/evidence/restart.json": restarts,
    "docs/evidence/bench.json": card_fraud,
}
