"""Draws docs/plots/NAME.svg from what the benchmarks left in docs/evidence; a plot whose evidence is not there is not drawn.

A plot says in its description which evidence of which commits it shows, so that tests/architecture can tell when it shows
something else than the tables.
"""

import pathlib
import sys

import matplotlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/architecture"))

import measurements  # noqa: E402
from measurements import SYSTEMS, evidence  # noqa: E402

matplotlib.use("svg")
# The same evidence gives the same bytes.
matplotlib.rcParams.update({"svg.hashsalt": "weir", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
                            "figure.constrained_layout.use": True})

from matplotlib import pyplot  # noqa: E402

COLORS = {"weir": "#1b6ca8", "rival": "#c8553d", "rival-20ms": "#c8553d", "rival-100ms": "#e0a458", "floor": "#9a9a9a"}


def keep(name, figure):
    path = ROOT / f"docs/plots/{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    figure.savefig(path, metadata={"Date": None, "Description": measurements.shown_by(ROOT, name)})
    pyplot.close(figure)
    print(path.relative_to(ROOT))


def bars(axes, groups, series, unit):
    """Grouped bars with whiskers from least to most; series: {system: [(median, least, most) or None per group]}."""
    width = 0.8 / len(series)
    for i, (who, values) in enumerate(series.items()):
        there = [(at, each) for at, each in enumerate(values) if each]
        axes.bar([at + (i - (len(series) - 1) / 2) * width for at, _ in there], [each[0] for _, each in there], width * 0.92,
                 yerr=[[each[0] - each[1] for _, each in there], [each[2] - each[0] for _, each in there]],
                 color=COLORS[who], label=SYSTEMS[who], error_kw={"elinewidth": 0.8, "capsize": 2})
    axes.set_xticks(range(len(groups)), groups)
    axes.set_ylabel(unit)


def drain(found):
    names = [measurements.drained_within(name, figures).replace(", ", "\n") for name, figures in found]
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.4))
    for each, key, unit in zip(axes, ("cpu_s_per_million", "peak_mb"), ("CPU-seconds per million records", "peak memory, MB")):
        bars(each, names, {who: [figures["medians"].get(who, {}).get(key) for _, figures in found] for who in ("weir", "rival")}, unit)
    return figure


def latency(found):
    [(_, figures)] = found
    cells = figures["cells"]
    shares, rates = sorted({each["asked"] for each in cells}), sorted({each["rate"] for each in cells})
    figure, axes = pyplot.subplots(len(shares), 3, figsize=(10, 2.8 * len(shares)), squeeze=False)
    for row, share in zip(axes, shares):
        for each, percentile in zip(row, ("p50", "p99", "p99.9")):
            of = {(cell["who"], cell["rate"]): cell[percentile] for cell in cells if cell["asked"] == share}
            systems = [who for who in COLORS if any((who, rate) in of for rate in rates)]
            bars(each, [f"{rate:,}/s" for rate in rates], {who: [of.get((who, rate)) for rate in rates] for who in systems},
                 f"{percentile}, ms, {share} % alert")
    return figure


def growth(found):
    [(_, figures)] = found
    groups = {}
    for row in figures["growth"]:
        groups.setdefault(row["group"], []).append(row)
    figure, axes = pyplot.subplots(1, len(groups), figsize=(10, 2.8))
    for each, (name, rows) in zip(axes, groups.items()):
        bars(each, [row["name"] for row in rows], {"weir": [(row["ns"], row["least"], row["most"]) for row in rows]}, "ns an event")
        each.set_title(name, fontsize=9)
    return figure


def restart(found):
    [(_, figures)] = found
    states = ("kept", "lost")
    figure, axes = pyplot.subplots(figsize=(5, 2.8))
    bars(axes, [f"local state {state}" for state in states],
         {who: [of[state]["first_alert_s"] for state in states] for who, of in figures["medians"].items()},
         "s until the first alert after kill -9")
    return figure


PLOTS = {"drain": drain, "latency": latency, "growth": growth, "restart": restart}
assert set(PLOTS) == set(measurements.PLOTS)


def main():
    for name, draw in PLOTS.items():
        found = evidence(ROOT, measurements.PLOTS[name])
        if found:
            keep(name, draw(found))


if __name__ == "__main__":
    main()
