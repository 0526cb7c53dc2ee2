#!/usr/bin/env python3
"""The rules that no compiler knows: who may include what, which library is known where, what the documentation repeats of
the code (documents.py), and what scripts ask of each other (python_names.py).

Prints TAP. Each rule is first tried on a small tree that breaks it: a rule that finds nothing there
is broken itself.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import documents
import python_names

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A folder may include what stands above it (and itself).
LAYERS = [
    "base", "schemas", "state", "processor/expression", "processor/topology", "processor/steps",
    "processor/engine", "processor/rules", "processor/models", "processor/kafka",
    "processor/offline", "processor/ops", "processor/deliver", "processor/cli",
]
# Two neighbours of which neither needs the other.
FORBIDDEN_PAIRS = {("processor/expression", "state")}
LIBRARY_NAMES = {each: "libweir_" + each.rsplit("/", 1)[-1] + ".a" for each in LAYERS}

# Header pattern -> (folders that may include it, in how many files at most).
LIBRARIES = {
    r"librdkafka/": (["processor/kafka"], None),
    r"rocksdb/": (["state"], 1),
    r"avro(/|\.h)": (["schemas"], None),
    r"libfyaml": (["processor/topology"], 1),
    r"simdjson": (["schemas"], 1),
    r"libdeflate": (["schemas"], 1),
    r"curl/": (["schemas"], 1),
    r"microhttpd": (["processor/ops"], None),
    r"sleef": (["processor/expression"], 1),
    r"criterion/": ([], None),
}

# Calls that would let a machine's setting, the time of day or chance into a result, or that write
# past an end; what a compiler drops in a function of its own (base/prefetch.h); and the folders where they are right.
CALLS = {
    "setlocale": [],
    "localtime|localtime_r|mktime|strftime": [],
    "rand|srand|random|drand48": [],
    "time|gettimeofday|clock_gettime": ["base"],
    "strcpy|strcat|sprintf|vsprintf|gets|strtok|alloca": [],
    "getenv|secure_getenv": ["processor/cli", "base"],
    "__builtin_prefetch": ["base"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
COMMENT_OR_TEXT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)


def sources(root):
    """(path from the root, folder, text) of every file of ours that is compiled."""
    for layer in LAYERS:
        for path in sorted((root / layer).glob("*")):
            if path.suffix in (".c", ".h", ".cpp", ".def"):
                yield path.relative_to(root).as_posix(), layer, path.read_text(errors="replace")


def check_layers(root):
    """A folder includes only the folders above it, by their path from the root."""
    rank = {layer: index for index, layer in enumerate(LAYERS)}
    for name, layer, text in sources(root):
        for quote, included in INCLUDE.findall(text):
            if quote == "<":
                continue
            folder = included.rpartition("/")[0]
            if folder not in rank:
                yield f'{name}: "{included}" is not a path from the root to one of our folders'
            elif rank[folder] > rank[layer] or (layer, folder) in FORBIDDEN_PAIRS:
                yield f"{name}: {layer} must not include {folder}"


def check_libraries(root):
    """A library from outside is included only where the table says."""
    users = {pattern: [] for pattern in LIBRARIES}
    for name, layer, text in sources(root):
        for _, included in INCLUDE.findall(text):
            for pattern, (folders, _) in LIBRARIES.items():
                if re.match(pattern, included):
                    users[pattern].append(name)
                    if layer not in folders:
                        yield f"{name}: {included} belongs in {folders or 'tests'} only"
    for pattern, (_, limit) in LIBRARIES.items():
        files = sorted(set(users[pattern]))
        if limit is not None and len(files) > limit:
            yield f"{pattern} is included by {', '.join(files)}: one file must hide it"


def check_calls(root):
    """Calls that results must not depend on."""
    for name, layer, text in sources(root):
        code = COMMENT_OR_TEXT.sub(lambda match: "\n" * match.group().count("\n"), text)
        for names, folders in CALLS.items():
            for match in re.finditer(rf"(?<![\w.>])({names})\s*\(", code):
                if layer not in folders:
                    line = code.count("\n", 0, match.start()) + 1
                    yield f"{name}:{line}: {match.group(1)}() belongs in {folders or 'no folder'}"


def check_headers(root):
    """Every header compiles alone."""
    def compile_alone(path):
        result = subprocess.run(
            ["cc", "-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I", str(root),
             '-DWEIR_VERSION="0"',
             "-x", "c", "-include", str(path), "/dev/null"],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        return None if result.returncode == 0 else f"{path}: {result.stderr.strip()[:400]}"

    headers = [path for layer in LAYERS for path in sorted((root / layer).glob("*.h"))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(compile_alone, headers))


def symbols(archive):
    """(defined, wanted from elsewhere) by a static library."""
    output = subprocess.run(["nm", "-A", str(archive)], capture_output=True, text=True, check=True)
    defined, wanted = set(), {}
    for line in output.stdout.splitlines():
        where, *_, kind, name = line.split()
        if kind == "U":
            wanted[name] = where.split(":")[1]
        elif kind.isupper():
            defined.add(name)
    return defined, {name: where for name, where in wanted.items() if name not in defined}


def check_linking(build):
    """No library calls into one above it: a declaration by hand gets round an include check."""
    present = [(layer, build / LIBRARY_NAMES[layer]) for layer in LAYERS]
    tables = [(layer, *symbols(path)) for layer, path in present if path.exists()]
    for index, (layer, _, wanted) in enumerate(tables):
        for upper, defined, _ in tables[index + 1:]:
            for name in sorted(wanted.keys() & defined):
                yield f"{layer} ({wanted[name]}) calls {name} of {upper}"


# ---- the rules, tried on trees that break them ----

BROKEN = {
    check_layers: {"base/a.c": '#include "schemas/b.h"\n',
                   "processor/expression/a.c": '#include "state/b.h"\n',
                   "state/c.c": '#include "b.h"\n'},
    check_libraries: {"schemas/a.c": "#include <librdkafka/rdkafka.h>\n",
                      "state/a.c": "#include <rocksdb/c.h>\n", "state/b.c": "#include <rocksdb/c.h>\n"},
    check_calls: {"state/a.c": "int f(void) { return rand(); } /* time() */\n",
                  "schemas/a.c": "\nvoid f(char *t) { time(t); }\n"},
    check_headers: {"base/a.h": "size_t f(void);\n"},
}
BROKEN_FINDINGS = {check_layers: 3, check_libraries: 2, check_calls: 2, check_headers: 1}
for rule, (files, findings) in (documents.BROKEN | python_names.BROKEN).items():
    BROKEN[rule] = files
    BROKEN_FINDINGS[rule] = findings


def tries(rule):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in BROKEN[rule].items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return list(rule(root))


def try_linking():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in (("base", "int upper(void);\nint lower(void) { return upper(); }\n"),
                           ("state", "int upper(void) { return 1; }\n")):
            (root / f"{name}.c").write_text(text)
            subprocess.run(["cc", "-c", f"{name}.c"], cwd=root, check=True)
            subprocess.run(["ar", "rc", f"libweir_{name}.a", f"{name}.o"], cwd=root, check=True)
        return list(check_linking(root))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, help="a build directory, to look at its libraries")
    parser.add_argument("--tap", type=pathlib.Path, help="write the results there too")
    options = parser.parse_args()

    results = []
    for rule, expected in BROKEN_FINDINGS.items():
        found = tries(rule)
        results.append((f"{rule.__name__} notices what it is for",
                        [] if len(found) == expected else [f"{len(found)} findings: {found}"]))
    for rule in BROKEN_FINDINGS:
        results.append((rule.__doc__.splitlines()[0], list(rule(ROOT))))
    found = try_linking()
    results.append(("check_linking notices what it is for", [] if len(found) == 1 else [str(found)]))
    if options.build:
        results.append((check_linking.__doc__.splitlines()[0], list(check_linking(options.build))))

    lines = []
    for title, violations in results:
        lines.append(f"{'not ok' if violations else 'ok'} - {title}")
        lines.extend(f"# {violation}" for violation in violations)
    print("\n".join(lines))
    if options.tap:
        options.tap.write_text("\n".join(lines) + "\n")
    return 1 if any(violations for _, violations in results) else 0


if __name__ == "__main__":
    sys.exit(main())
