"""Every shipped study loads and says how it is run."""

from itertools import takewhile
from pathlib import Path

import pytest

from raysernas.config.files import load, shipped

CONFIG_LINES = 40
CONFIGS = sorted(shipped().glob("*.yaml"))


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
