"""The files of the repository and their syntax, for the tests of the house rules."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = sorted([*(ROOT / "raysernas").rglob("*.py"), *(ROOT / "analysis").rglob("*.py")])
SOURCES = [*PRODUCT, *sorted((ROOT / "tests").rglob("*.py"))]
PAGES = sorted(
    path for path in ROOT.rglob("README.md") if not path.relative_to(ROOT).parts[0].startswith(".")
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Path in the repository."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """Dotted name of a product module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


@cache
def nodes(path: Path) -> list[ast.AST]:
    """All nodes of a file's syntax tree."""
    return list(ast.walk(tree_of(path)))


def functions(path: Path) -> Iterator[Function]:
    """All functions and methods of a file."""
    return (node for node in nodes(path) if isinstance(node, Function))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """(what is called, the call) of a file."""
    return ((ast.unparse(node.func), node) for node in nodes(path) if isinstance(node, ast.Call))


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, by their dotted names."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def none_of(offenders: list[str]) -> None:
    """Fail with the whole list."""
    assert not offenders, "\n".join(["", *offenders])
