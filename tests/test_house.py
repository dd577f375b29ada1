"""The house rules that a machine can check: sizes, names, floors, imports, shipped studies and the README's
word.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import takewhile
from pathlib import Path

import pytest

from raysernas.config.files import load, shipped

ROOT = Path(__file__).parent.parent
PRODUCT = sorted([*(ROOT / "raysernas").rglob("*.py"), *(ROOT / "analysis").rglob("*.py")])
SOURCES = [*PRODUCT, *sorted((ROOT / "tests").rglob("*.py"))]
FILE_LINES, FUNCTION_LINES, CONFIG_LINES = 400, 60, 40
BANNED = {"utils", "util", "helper", "helpers", "manager", "handler", "base", "common", "misc", "data2"}
IGNORED = [line.strip().strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIGS = sorted(shipped().glob("*.yaml"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Path in the repository, for the names of tests."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """Dotted name of a product module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def tree_of(path: Path) -> ast.Module:
    """Its syntax."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    """All functions and methods of a file."""
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def imported_after(code: str, cwd: Path = ROOT) -> set[str]:
    """The top-level modules that a fresh Python holds after this code; whatever the code prints or warns of
    is a failure.
    """
    ask = "\nimport sys; sys.stderr.write(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + ask],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stderr
    return set(run.stderr.split())


# --- sizes and names


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_is_read_in_one_go(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_function_is_seen_at_once(path: Path) -> None:
    for node in functions(path):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        assert length <= FUNCTION_LINES, f"{node.name}: {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_is_kept_from_the_formatter(path: Path) -> None:
    assert "# fmt" + ": skip" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_name_says_nothing(path: Path) -> None:
    named = [node.name for node in ast.walk(tree_of(path)) if isinstance(node, Function | ast.ClassDef)]
    for name in (path.stem, path.parent.name, *named):
        words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)}
        assert not words & BANNED, name


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_a_room_says_what_it_is_for(path: Path) -> None:
    """`__init__.py` is empty: a package is its listing. But for the analysis, which a notebook imports by its
    name.
    """
    if path.name == "__init__.py" and path.parent != ROOT / "analysis":
        assert path.read_text(encoding="utf-8") == ""
    else:
        assert ast.get_docstring(tree_of(path))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_tests_and_public_functions_of_the_product_are_explained(path: Path) -> None:
    """In the product every public name of a room has a docstring; in tests the names of laws may do."""
    if path not in PRODUCT:
        assert ast.get_docstring(tree_of(path)) or not path.read_text(encoding="utf-8")
        return
    for node in tree_of(path).body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def test_the_test_part_is_asked_for_in_one_room() -> None:
    asked = [
        (name_of(path), what) for path in PRODUCT for what, call in calls(path) if "test" in _texts(call)
    ]
    assert [(room, what) for room, what in asked if what.split(".")[-1] == "part"] == [
        ("raysernas/trial.py", "data.part")
    ]


def _texts(call: ast.Call) -> list[object]:
    """The constants among the arguments."""
    return [
        each.value
        for each in (*call.args, *(named.value for named in call.keywords))
        if isinstance(each, ast.Constant)
    ]


# --- what is never done


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """(what is called, the call) of a file."""
    return ((ast.unparse(node.func), node) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_nothing_read_from_a_file_is_ever_run(path: Path) -> None:
    """No eval, no exec, no pickle; weights are loaded as weights only."""
    for called, call in calls(path):
        assert called not in ("eval", "exec", "compile", "__import__"), f"line {call.lineno}: {called}"
        if called == "torch.load":
            given = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert given.get("weights_only") == "True", (
                f"line {call.lineno}: torch.load without weights_only=True"
            )
    for node in ast.walk(tree_of(path)):
        imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in imported} & {
            "pickle",
            "cPickle",
            "dill",
            "cloudpickle",
            "joblib",
            "shelve",
        }


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_no_environment_variable_changes_what_a_setting_means(path: Path) -> None:
    """Ray's own switches are set in the fleet, CUDA's in determinism; nothing of ours is read from the
    environment.
    """
    text = path.read_text(encoding="utf-8")
    assert "getenv" not in text
    if path.parent.name != "fleet" and path.name != "determinism.py":
        assert "environ" not in text


# --- imports


@pytest.mark.parametrize(
    "module", ["raysernas.record.ledger", "raysernas.record.summary", "analysis", "analysis.__main__"]
)
def test_reading_results_needs_neither_torch_nor_ray(module: str) -> None:
    loaded = imported_after(f"import {module}")
    assert "raysernas" in loaded or module == "analysis"
    assert not loaded & {"torch", "ray", "optuna", "librosa", "matplotlib"}


def test_outside_the_fleet_nothing_imports_ray_and_no_import_leaves_a_trace(tmp_path: Path) -> None:
    """Every room is imported, from an empty folder: no output, no warning, no file, no thread, no changed
    environment.
    """
    upper = ("raysernas.fleet", "raysernas.launch")
    rooms = [module for module in map(module_of, PRODUCT) if not module.startswith(upper)]
    code = f"""
import importlib, os, threading
import torch, torchaudio  # these two set variables of their own
before, random = dict(os.environ), torch.random.get_rng_state()
for room in {rooms}:
    importlib.import_module(room)
assert dict(os.environ) == before, "environment"
assert torch.equal(torch.random.get_rng_state(), random), "random state"
assert threading.active_count() == 1, "threads"
"""
    loaded = imported_after(code, tmp_path)
    assert {"raysernas", "analysis", "torch"} <= loaded
    assert not loaded & {"ray", "optuna"}
    assert list(tmp_path.iterdir()) == []


def test_a_trial_starts_without_slow_libraries() -> None:
    loaded = imported_after("import raysernas.trial")
    assert not loaded & {"librosa", "matplotlib", "sklearn", "ray", "optuna"}


# --- shipped studies and README


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_study_loads_and_begins_with_its_command(path: Path) -> None:
    """Loading assigns both ends of every axis of its space; the study is named after its file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header = list(takewhile(lambda line: line.startswith("#"), lines))
    assert len(lines) <= CONFIG_LINES
    assert any("python -m raysernas.launch" in line for line in header), "no command in its header"
    assert path.stem == "laptop" or any(path.stem in line for line in header if "raysernas.launch" in line)
    assert load(str(path)).study.name == path.stem


def test_there_is_a_study_to_begin_with() -> None:
    assert "laptop" in {path.stem for path in CONFIGS}


def folders() -> list[str]:
    """The top-level folders of the repository."""
    found = [path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(name for name in found if not any(fnmatch(name, pattern) for pattern in IGNORED if pattern))


def test_the_readme_names_every_folder() -> None:
    assert {"raysernas", "tests", "configs", "analysis"} <= set(folders())
    assert [name for name in folders() if f"{name}/" not in README] == []


def mentioned() -> list[str]:
    """Links to files, and paths in code, of the README; not what a run will write or what stands for the
    user's own paths.
    """
    links = re.findall(r"\]\(([^)#\s]+)", README)
    words = [word for span in re.findall(r"`+([^`]+)`+", README) for word in span.split()]
    paths = [
        word for word in words if re.fullmatch(r"[\w.-]+(/[\w.*-]+)*(/|\.(py|yaml|toml|md|sh|txt))", word)
    ]
    own = [each for each in (*links, *paths) if "://" not in each]
    return sorted({each for each in own if not each.startswith(("PATH/", "results/", "my_", "my/"))})


@pytest.mark.parametrize("path", mentioned())
def test_what_the_readme_mentions_exists(path: str) -> None:
    """From the root, or inside the packages, where the map of the code stands."""
    assert any(
        list(start.glob(path.rstrip("/")))
        for start in (ROOT, ROOT / "raysernas", ROOT / "analysis", *(ROOT / "raysernas").iterdir())
    ), path
