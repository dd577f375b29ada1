"""Names are the words of the field, each with one meaning, and what is public is explained."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.support.sources import PRODUCT, ROOT, SOURCES, Function, name_of, nodes, none_of, text_of, tree_of

# words that say nothing, in tests too
EMPTY = {"utils", "util", "helper", "helpers", "manager", "handler", "base", "common", "misc", "data2"}
# words that were once ours; the field has others for the same things
PRIVATE = {
    *("architect", "rehearse", "rehearsal", "descent", "durable", "tally", "mixture", "mixtures"),
    *("board", "chalk", "asking", "standing", "deaths", "telling", "doubts"),
    *("again", "beat", "asked", "told", "way", "do"),
}
PHRASES = ("by_sgd", "by_adam")


def words(name: str) -> set[str]:
    """`HTTPReply_of` has the words http, reply and of."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)}


def identifiers(path: Path) -> Iterator[tuple[int, str]]:
    """(line, name) of what a file defines: itself, functions, classes, arguments and attributes."""
    yield 1, path.stem
    yield 1, path.parent.name
    for node in nodes(path):
        if isinstance(node, Function | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        if isinstance(node, ast.ClassDef):
            yield from _fields(node)


def _fields(node: ast.ClassDef) -> Iterator[tuple[int, str]]:
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            yield each.lineno, each.target.id


def test_no_name_says_nothing() -> None:
    none_of(
        [
            f"{name_of(path)}:{line}: {name}"
            for path in SOURCES
            for line, name in identifiers(path)
            if words(name) & EMPTY
        ]
    )


def test_no_name_is_of_a_private_vocabulary() -> None:
    none_of(
        [
            f"{name_of(path)}:{line}: {name}"
            for path in PRODUCT
            for line, name in identifiers(path)
            if words(name) & PRIVATE or any(phrase in name for phrase in PHRASES) or name == "Ahead"
        ]
    )


def test_no_type_name_has_two_meanings() -> None:
    """Classes and aliases at the top level of modules, with or without an underscore."""
    found = defaultdict[str, list[str]](list)
    for path in PRODUCT:
        for node in tree_of(path).body:
            for name in _types(node):
                found[name.strip("_")].append(name_of(path))
    none_of([f"{name}: {', '.join(paths)}" for name, paths in sorted(found.items()) if len(paths) > 1])


def _types(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    named = [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in named if re.fullmatch(r"_?[A-Z]\w*[a-z]\w*", name)]


def test_a_room_says_what_it_is_for() -> None:
    """`__init__.py` is empty: a package is its listing. Not that of the analysis, which notebooks import."""
    packages = {path for path in PRODUCT if path.name == "__init__.py"} - {ROOT / "analysis" / "__init__.py"}
    none_of([f"{name_of(path)} is not empty" for path in sorted(packages) if text_of(path)])
    explained = [path for path in SOURCES if path not in packages and text_of(path)]
    none_of(
        [f"{name_of(path)} has no docstring" for path in explained if not ast.get_docstring(tree_of(path))]
    )


def test_public_functions_and_classes_of_the_product_are_explained() -> None:
    none_of(
        [
            f"{name_of(path)}:{node.lineno}: {node.name}"
            for path in PRODUCT
            for node in tree_of(path).body
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
            if not ast.get_docstring(node)
        ]
    )
