#!/usr/bin/env python3
"""What the documentation says twice: tables that repeat what the code says, and links.

A table between `<!-- from NAME -->` and `<!-- end -->` has one row per entry of the source called
NAME, in its order and its words. Columns to the right of those are written by hand and kept.
`documents.py --write` brings the tables up to date; check.py tells when they are not.
"""

import json
import pathlib
import re
import sys

import measurements

ROOT = pathlib.Path(__file__).resolve().parents[2]

BLOCK = re.compile(r"(<!-- from ([\w./-]+) -->\n)(.*?)(<!-- end -->)", re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
TEXT = r'((?:"(?:\\.|[^"\\])*"\s*)+)'
FENCED = re.compile(r"^```.*?^```", re.S | re.M)


def text_of(literals):
    """A C string of one or more literals."""
    parts = re.findall(r'"((?:\\.|[^"\\])*)"', literals)
    return "".join(parts).replace('\\"', '"').replace("\\n", " ")


def environment_name(key):
    return "WEIR_" + key.upper().replace(".", "_")


def entries_of(path, pattern, begins):
    """The entries that the pattern finds; ValueError when it cannot read as many as begin."""
    source = path.read_text()
    found = re.findall(pattern, source, re.M)
    if len(found) != len(re.findall(begins, source, re.M)):
        raise ValueError(f"{path.name} has entries that this check cannot read")
    return found


def settings(root):
    found = entries_of(root / "processor/cli/config.def",
                       rf'^SETTING\("([\w.]+)",\s*\w+,\s*\w+,\s*{TEXT},\s*{TEXT}\)', r"^SETTING\(")
    for key, default, meaning in found:
        default = text_of(default)
        yield (f"`{key}`", f"`{environment_name(key)}`", f"`{default}`" if default else "none",
               text_of(meaning))


def reasons(root):
    found = entries_of(root / "base/status.def", rf"^STATUS\((\w+),\s*SKIP,\s*{TEXT}\)",
                       r"^STATUS\(\w+,\s*SKIP,")
    for name, meaning in found:
        yield f"`{name.lower()}`", text_of(meaning)


def metrics(root):
    path = root / "processor/ops/metrics.c"
    for name, meaning in entries_of(path, rf'COUNTER\("(\w+)",\s*[\w.]+,\s*{TEXT}\)', r'COUNTER\("'):
        yield f"`{name}`", "counter", text_of(meaning)
    for name, kind, meaning in entries_of(path, rf'head\(out, "(\w+)", "(\w+)",\s*{TEXT}\)',
                                          r'head\(out, "'):
        yield f"`{name}`", kind, text_of(meaning)


def commands(root):
    for name in re.findall(r"^COMMAND\((\w+)\)", (root / "processor/cli/commands.def").read_text(), re.M):
        path = root / f"processor/cli/{name}.c"
        [(operands, summary)] = entries_of(
            path, rf'\.operands = {TEXT},\s*\.summary =\s*{TEXT},', r"\.summary =")
        yield f"`weir {' '.join([name, *text_of(operands).split()])}`", text_of(summary)


CAPACITY_COSTS = "processor/cli/capacity_costs.def"


def capacity_costs(root):
    for name, value, meaning in entries_of(root / CAPACITY_COSTS, rf'^CAPACITY_COST\((\w+), ([\d.]+), {TEXT}\)',
                                           r"^CAPACITY_COST\("):
        yield f"`{name}`", value, text_of(meaning)


def measured_costs(root):
    """The text of CAPACITY_COSTS with the values that were measured last."""
    path = root / "docs/evidence/costs.json"
    measured = json.loads(path.read_text())["constants"] if path.exists() else {}
    return re.sub(r"^(CAPACITY_COST\((\w+), )[\d.]+", lambda m: m[1] + (f"{measured[m[2]]:.12g}" if m[2] in measured else m[0][len(m[1]):]),
                  (root / CAPACITY_COSTS).read_text(), flags=re.M)


CHAOS = ("chaos.json", "chaos-three-brokers.json")


def chaos(root, *keys):
    """What `./dev chaos` counted, over its runs that were kept: {name: count} per key."""
    counts = [{} for _ in keys]
    for name in CHAOS:
        path = root / "docs/evidence" / name
        for key, total in zip(keys, counts if path.exists() else ()):
            for each, count in json.loads(path.read_text())[key].items():
                total[each] = total.get(each, 0) + count
    return counts


def chaos_faults(root):
    """Every fault that a run can do, and how often it was done."""
    counts = {}
    for each in chaos(root, "faults", "broker_faults"):
        counts.update(each)
    folder = root / "tests/chaos"
    moods = entries_of(folder / "weather.py", r'^        "\w+": "([^"]+)",$', r'^        "\w+": "')
    names = [*entries_of(folder / "faults.py", r'^    "([^"]+)": \(\d+, \w+\),$', r'^    "[^"]+": \('),
             *re.findall(r'"(the broker: [^"]+|a broker of three: [^"]+)"',
                         (folder / "brokers.py").read_text()),
             *(f"network: {mood}" for mood in moods if mood != "nothing")]
    for name in names:
        yield name, f"{counts.get(name, 0):,}"


def kill_points(root):
    found = entries_of(root / "base/kill_points.def", rf'^KILL_POINT_ROW\((\w+),\s*\w+,\s*{TEXT}\)',
                       r"^KILL_POINT_ROW\(")
    counts = chaos(root, "killed_at", "failed_at", "frozen_at")
    for name, meaning in found:
        yield f"`{name}`", text_of(meaning), *(f"{each.get(name, 0):,}" for each in counts)


def exactly_once_outcome(figures):
    runs = ", ".join(f"state {run['state']}: {run['alerts']:,} alerts and {sum(run['dead_letters'].values()):,} dead letters"
                     f" equal the oracle's" for run in figures["runs"])
    return f"{figures['events']:,} payments, {figures['workers']} workers, kill -9 in the middle; {runs}"


def fuzzing_outcome(figures):
    targets = figures["targets"].values()
    return (f"{len(targets)} targets of {min(each['seconds'] for each in targets) // 60} minutes and more,"
            f" {sum(each['executions'] for each in targets):,} inputs, {len(figures['findings'])} findings")


def determinism_outcome(figures):
    differing = sum(len(files) for files in figures["differing"].values())
    return (f"alerts and features of {figures['payments']:,} payments and {figures['handbook_rows']:,} card transactions:"
            f" {differing} files differ between the release build and {len(figures['compared_with_release'])} others"
            f" (without FMA, with what this processor has, Debian 13)")


def bare_outcome(figures):
    return f"the demo shows every attack; {figures['passed']:,} tests passed, {figures['failed']} failed"


def chaos_outcome(figures):
    return (f"{figures['kills']:,} kills in {figures['minutes_of_chaos']:.0f} minutes on Kafka {figures.get('kafka', '4.3.1')}"
            f" with {figures['brokers']} broker(s), {figures['alerts']:,} alerts; {figures['findings']} findings")


def soak_outcome(figures):
    mb = lambda size: f"{size / 1e6:,.0f}"
    thirds = lambda name: " / ".join(mb(size) for size in figures[f"{name}_bytes_by_third"].values())
    others = " / ".join(str(each) for each in figures["descriptors_without_files_by_third"].values())
    return (f"{figures['minutes']:.0f} minutes, {figures['load_per_s']:,} payments a second of {figures['capacity_per_s']:,},"
            f" {sum(figures['faults'].values())} faults, {figures['alerts']:,} alerts; {len(figures['findings'])} findings."
            f" Of {mb(figures['memory_bytes'])} MB a process had at most {mb(figures['peak_bytes'])}. In the first / middle / last third"
            f" at most: {others} descriptors besides files, {thirds('state')} MB of local disk, {thirds('tail')} MB of tail,"
            f" {thirds('changelog')} MB of changelog")


def restart_outcome(figures):
    def seconds(who, state):
        return "%.1f [%.1f-%.1f] s" % tuple(figures["medians"][who][state]["first_alert_s"])
    rows = figures["medians"]["weir"]["lost"]["rows_per_s"][0]
    return (f"{figures['users']:,} users, kill -9, {figures['runs']} runs: alerts again after {seconds('weir', 'kept')} with local"
            f" state (Kafka Streams {seconds('rival', 'kept')}), {seconds('weir', 'lost')} without"
            f" ({seconds('rival', 'lost')}), which is {rows:,.0f} rows a second on one core")


def simulation_outcome(figures):
    return f"{figures['seeds']:,} seeds, {figures['commits']:,} commits, {figures['crashes']:,} crashes; {figures['failed']} failed"


def conformance_outcome(figures):
    return f"{figures['sequences']:,} sequences of calls, {figures['different']} answered differently by Kafka"


def mutants_outcome(figures):
    return f"{len(figures['caught'])} of {figures['mutants']} caught"


def image_outcome(figures):
    return (f"the image ({figures['size']}) as user {figures['user']} with a read-only root: {figures['events']:,} payments,"
            f" {figures['alerts']:,} alerts")


LONG_RUNS = [
    (r"bare-\w+", "the two commands of the README on a bare machine", bare_outcome),
    ("exactly-once", "the main job in full size", exactly_once_outcome),
    ("determinism", "the same bytes everywhere", determinism_outcome),
    ("fuzzing", "everything that is decoded, with sanitizers", fuzzing_outcome),
    ("image", "the image on a real broker", image_outcome),
    (r"chaos[\w-]*", "`./dev chaos`", chaos_outcome),
    ("soak", "half the load, with faults", soak_outcome),
    ("restart", "`./dev bench restart`", restart_outcome),
    (r"simulation[\w-]*", "simulated clusters", simulation_outcome),
    ("mutants", "the protocol broken on purpose", mutants_outcome),
    ("conformance", "the simulated cluster against Kafka", conformance_outcome),
]


def long_runs(root):
    """What `./dev test --long` left, one row for each file."""
    paths = sorted((root / "docs/evidence").glob("*.json"))
    for pattern, what, outcome in LONG_RUNS:
        for path in paths:
            if re.fullmatch(pattern, path.stem):
                figures = json.loads(path.read_text())
                yield (f"`{path.name}`", what, figures["system"].replace("GNU/Linux ", ""), f"`{figures['commit'][:7]}`",
                       outcome(figures))


SOURCES = {
    "docs/evidence": long_runs,
    "processor/cli/config.def": settings,
    "base/status.def": reasons,
    "processor/ops/metrics.c": metrics,
    "processor/cli/commands.def": commands,
    "docs/evidence/chaos.json": chaos_faults,
    CAPACITY_COSTS: capacity_costs,
    "base/kill_points.def": kill_points,
    **measurements.TABLES,
}


def cells_of(line):
    return [each.strip() for each in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def escaped(cells):
    return [each.replace("|", "\\|").replace("<", "\\<") for each in cells]


def renewed(body, entries):
    """The table with the entries' cells in place, its own cells to the right of them kept."""
    head, rule, *rows = body.strip().splitlines()
    by_hand = {cells_of(row)[0]: cells_of(row) for row in rows}
    width = len(cells_of(head))
    lines = [head, rule]
    for entry in entries:
        cells = escaped(entry)
        kept = by_hand.get(cells[0], [])[len(cells):]
        cells += kept + [""] * (width - len(cells) - len(kept))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def pages(root):
    return [path for path in [root / "README.md", root / "CHANGELOG.md", *sorted(root.glob("docs/*.md"))]
            if path.exists()]


def check_tables(root):
    """Tables in the documentation say what the code says."""
    missing = set(SOURCES)
    for page in pages(root):
        name = page.relative_to(root)
        for _, source, body, _ in BLOCK.findall(page.read_text()):
            if source not in SOURCES:
                yield f"{name}: there is no source {source} of a table"
                continue
            missing.discard(source)
            wanted, found = renewed(body, SOURCES[source](root)).splitlines(), body.splitlines()
            for row in wanted:
                if row not in found:
                    yield f"{name}: the table of {source} lacks: {row}"
            for row in found:
                if row not in wanted:
                    yield f"{name}: the table of {source} has too much: {row}"
            if sorted(wanted) == sorted(found) and wanted != found:
                yield f"{name}: the table of {source} is in another order"
    for source in sorted(missing):
        yield f"no page has the table of {source}"


def check_costs(root):
    """`weir plan --load` adds up what was measured."""
    path = root / CAPACITY_COSTS
    if path.exists() and path.read_text() != measured_costs(root):
        yield f"{CAPACITY_COSTS}: not the values of docs/evidence/costs.json"


def check_plots(root):
    """Plots show what the tables say (bench/plots.py draws them)."""
    for name in measurements.PLOTS:
        path, wanted = root / f"docs/plots/{name}.svg", measurements.shown_by(root, name)
        if path.exists() and f"<dc:description>{wanted}</dc:description>" not in path.read_text():
            yield f"docs/plots/{name}.svg does not show {wanted or 'any evidence that there is'}: ./dev bench plots"
        if wanted and not path.exists():
            yield f"docs/plots/{name}.svg is missing: ./dev bench plots"


def check_links(root):
    """Links between files lead somewhere."""
    for page in pages(root):
        for target in LINK.findall(FENCED.sub("", page.read_text())):
            if not re.match(r"\w+:", target) and not (page.parent / target).exists():
                yield f"{page.relative_to(root)}: {target} does not exist"


# Trees that break the rules, for check.py: (files, how many findings).
BROKEN = {
    check_tables: ({
        "processor/cli/config.def": 'SETTING("a.b", TEXT, a, "", "What a is.")\n'
                                    'SETTING("c", TEXT, c, "1", "What c is.")\n',
        "base/status.def": 'STATUS(OK, NONE, "ok")\nSTATUS(BAD, SKIP, "it is bad")\n',
        "processor/ops/metrics.c": 'COUNTER("x_total", x, "All x."),\nhead(out, "y", "gauge", "Now.");\n',
        "processor/cli/commands.def": "COMMAND(go)\n",
        "processor/cli/go.c": '.operands = "",\n.summary = "Goes.",\n',
        "docs/a.md": "<!-- from processor/cli/config.def -->\n| a | b | c | d | by hand |\n|---|---|---|---|---|\n"
                     "| `a.b` | `WEIR_A_B` | none | What a was. | mine |\n<!-- end -->\n"
                     "<!-- from base/status.def -->\n| a | b |\n|---|---|\n| `bad` | it is bad |\n<!-- end -->\n"
                     "<!-- from processor/ops/metrics.c -->\n| a | b | c |\n|---|---|---|\n"
                     "| `y` | gauge | Now. |\n| `x_total` | counter | All x. |\n<!-- end -->\n",
    }, 19),  # a.b's words, twice; c; the metrics' order; no table of commands, long runs, faults, kill points, and of eleven measurements
    check_costs: ({
        CAPACITY_COSTS: 'CAPACITY_COST(a_ns, 12, "a")\nCAPACITY_COST(b, 2.5, "b")\n',
        "docs/evidence/costs.json": '{"constants": {"a_ns": 13.0}}',
    }, 1),
    check_plots: ({
        "docs/evidence/growth.json": '{"commit": "0123456789abcdef"}',
        "docs/evidence/restart.json": '{"commit": "0123456789abcdef"}',
        "docs/plots/growth.svg": "<dc:description>growth.json 0123456789ab</dc:description>",
        "docs/plots/latency.svg": "<dc:description>latency.json 0123456789ab</dc:description>",
    }, 2),  # no evidence of latencies; no plot of restarts
    check_links: ({"README.md": "[a](docs/a.md) [b](docs/b.md#c) [d](https://example.com/e)\n"
                                "```\n[f](g.md)\n```\n", "docs/a.md": "[up](../README.md#x)\n"}, 1),
}


def write(root):
    costs = root / CAPACITY_COSTS
    costs.write_text(measured_costs(root))
    for page in pages(root):
        text = page.read_text()
        new = BLOCK.sub(lambda m: m[1] + renewed(m[3], SOURCES[m[2]](root)) + m[4], text)
        if new != text:
            page.write_text(new)
            print(page.relative_to(root))


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: documents.py --write")
    write(ROOT)
