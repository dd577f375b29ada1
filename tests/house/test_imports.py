"""What an import loads, and what it leaves alone; each law in a fresh Python."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sources import PRODUCT, ROOT, module_of


def imported_after(code: str, cwd: Path = ROOT) -> set[str]:
    """The top-level modules that a fresh Python holds after this code, which may neither print nor warn."""
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


@pytest.mark.parametrize(
    "module", ["raysernas.record.ledger", "raysernas.record.summary", "analysis", "analysis.__main__"]
)
def test_reading_results_needs_neither_torch_nor_ray(module: str) -> None:
    loaded = imported_after(f"import {module}")
    assert "raysernas" in loaded or module == "analysis"
    assert not loaded & {"torch", "ray", "optuna", "librosa", "matplotlib"}


def test_outside_the_fleet_nothing_imports_ray_and_no_import_leaves_a_trace(tmp_path: Path) -> None:
    """Every room, from an empty folder: no output, warning, file, thread or changed environment."""
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
