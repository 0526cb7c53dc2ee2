"""What the scripts ask of each other: a name that a module no longer has is found here, and not an hour into a measurement."""

import ast
import collections

FOLDERS = ["bench", "tests"]


def scripts(root):
    for folder in FOLDERS:
        yield from sorted((root / folder).rglob("*.py"))


def defined(tree):
    """Names that a module has when it has been read."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((each.asname or each.name).split(".")[0] for each in node.names)
    return found


def own_names(function):
    """What a function calls by a name of its own: its arguments, and what it assigns."""
    arguments = function.args
    names = {each.arg for each in arguments.args + arguments.kwonlyargs + arguments.posonlyargs}
    names.update(each.arg for each in (arguments.vararg, arguments.kwarg) if each)
    names.update(each.id for each in ast.walk(function) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store))
    return names


def asked(tree, modules):
    """(line, module, name) of every module.name, and of every from module import name."""
    def walk(node, hidden):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            hidden = hidden | own_names(node)
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in modules:
            yield from ((node.lineno, node.module, each.name) for each in node.names if each.name != "*")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported - hidden:
            yield node.lineno, node.value.id, node.attr
        for child in ast.iter_child_nodes(node):
            yield from walk(child, hidden)

    imported = {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names
                if each.asname is None and each.name in modules}
    return walk(tree, frozenset())


def check_python_names(root):
    """What a script asks of another one of ours is there."""
    trees = {path: ast.parse(path.read_text()) for path in scripts(root)}
    modules = collections.defaultdict(set)
    for path, tree in trees.items():
        modules[path.stem] |= defined(tree)
    for path, tree in trees.items():
        for line, module, name in asked(tree, modules):
            if name not in modules[module] and not name.startswith("__"):
                yield f"{path.relative_to(root)}:{line}: {module} has no {name}"


BROKEN = {
    check_python_names: ({"bench/a.py": "import os\nLEFT = 1\ndef f():\n    GOES = os.getpid()\n    return GOES\n",
                         "bench/b.py": "import a\nfrom a import LEFT, GONE\nprint(a.LEFT, a.TICKS)\ndef g(a):\n    return a.anything\n"}, 2),
}
