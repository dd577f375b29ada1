"""What the product never does: run what it reads, obey its environment, open the test part early."""

import ast
from pathlib import Path

from tests.support.sources import PRODUCT, calls, imports, name_of, none_of, text_of

RUNNING = {"eval", "exec", "compile", "__import__"}
PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve"}


def test_nothing_read_from_a_file_is_ever_run() -> None:
    """No eval, no exec, no pickle; weights are loaded as weights only."""
    none_of(
        [
            f"{name_of(path)}:{call.lineno}: {called}"
            for path in PRODUCT
            for called, call in calls(path)
            if called in RUNNING or (called == "torch.load" and not _of_weights_only(call))
        ]
    )
    none_of(
        [
            f"{name_of(path)} imports {module}"
            for path in PRODUCT
            for module in imports(path)
            if module.split(".")[0] in PICKLES
        ]
    )


def _of_weights_only(call: ast.Call) -> bool:
    return {word.arg: ast.unparse(word.value) for word in call.keywords}.get("weights_only") == "True"


def test_no_environment_variable_changes_what_a_setting_means() -> None:
    """Ray's own switches are set in the fleet, CUDA's in determinism; nothing of ours is read from there."""
    none_of([name_of(path) for path in PRODUCT if "getenv" in text_of(path)])
    may = [path for path in PRODUCT if path.parent.name == "fleet" or path.name == "determinism.py"]
    none_of([name_of(path) for path in PRODUCT if path not in may and "environ" in text_of(path)])


def test_the_test_part_is_opened_in_one_room() -> None:
    opened = [(name_of(path), called) for path in PRODUCT for called in _openings(path)]
    assert opened == [("raysernas/trial.py", "data.part")]


def _openings(path: Path) -> list[str]:
    """What is called `....part` with "test" among its arguments."""
    return [
        called
        for called, call in calls(path)
        if called.split(".")[-1] == "part"
        for given in (*call.args, *(word.value for word in call.keywords))
        if isinstance(given, ast.Constant) and given.value == "test"
    ]
