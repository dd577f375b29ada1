"""The console script `raysernas`, and `python -m raysernas`: one name in front of the four commands.

    raysernas launch | trial | corpora | analysis [ARGUMENTS]

Each runs as `python -m raysernas.launch` (`.trial`, `.corpora`) or `python -m analysis` does, but from any
folder: an `analysis.py` in the current folder is not taken for ours. Nothing is imported but what is run.
"""

import runpy
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

COMMANDS = {
    "launch": ("raysernas.launch", "run a study, or continue it"),
    "trial": ("raysernas.trial", "run one trial here, without Ray"),
    "corpora": ("raysernas.corpora", "check the folder of a corpus"),
    "analysis": ("analysis", "print the results of studies and write their report"),
}
USAGE = "usage: raysernas COMMAND [ARGUMENTS]\n\n" + "".join(
    f"  {name:<10}{text}\n" for name, (_, text) in COMMANDS.items()
)
OPTIONS = "\n  --help     print this, or behind a command what it takes\n  --version  print the version"


def main() -> None:
    """Run the command that the arguments name; exits with its status, or with 2 for an unknown one."""
    command, arguments = next(iter(sys.argv[1:]), "--help"), sys.argv[2:]
    if command in ("-h", "--help"):
        print(f"{USAGE}{OPTIONS}")
    elif command == "--version":
        _run("raysernas.launch", ["--version"])
    elif command in COMMANDS:
        if command == "analysis":
            _import_beside("analysis")
        _run(COMMANDS[command][0], arguments)
    else:
        print(f"raysernas: there is no command {command!r}\n\n{USAGE}", end="", file=sys.stderr)
        sys.exit(2)


def _run(module: str, arguments: list[str]) -> None:
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _import_beside(package: str) -> None:
    """Import the package that is installed beside `raysernas`, whatever the current folder contains."""
    spec = PathFinder.find_spec(package, [str(Path(__file__).parents[1])])
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"no {package} beside raysernas")
    module = module_from_spec(spec)
    sys.modules[package] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()
