"""The benchmarks by one command.

python -m tests.benchmarks               lists them
python -m tests.benchmarks NAME [...]    runs one, with its own arguments
"""

import ast
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path


def names() -> list[str]:
    """The benchmarks of this folder."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def summary(name: str) -> str:
    """The first sentence of a benchmark's docstring."""
    text = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    paragraph = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def main(arguments: Sequence[str]) -> int:
    """List the benchmarks, or run the one that is named; 2 for an unknown name."""
    if not arguments:
        width = max(map(len, names()))
        print(*(f"{name:{width}}  {summary(name)}" for name in names()), sep="\n")
        return 0
    name, *rest = arguments
    if name not in names():
        print(f"no benchmark is called {name}: python -m tests.benchmarks lists them", file=sys.stderr)
        return 2
    sys.argv = [name, *rest]
    runpy.run_module(f"tests.benchmarks.{name}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
