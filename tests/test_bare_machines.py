"""Machines that lack what a desktop has: a home folder, folders that may be written, docstrings."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from raysernas.config.files import assign
from raysernas.config.schema import Config
from raysernas.features import mel
from raysernas.fleet import cluster
from raysernas.record.files import StudyFiles, at_home, cache_folder, study_files
from raysernas.record.storage import place
from tests.support.faults import refusal


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no entry in /etc/passwd."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda _: (_ for _ in ()).throw(KeyError("no such user")))


def test_a_study_on_a_local_disk_needs_no_home(homeless: None, tmp_path: Path) -> None:
    files = study_files(assign(Config(), {"study.storage": str(tmp_path)}))
    assert files.journal.is_relative_to(tmp_path)
    assert cache_folder(assign(Config(), {"study.storage": str(tmp_path)})).is_relative_to(tmp_path)


def test_where_a_home_is_needed_its_lack_is_a_fault(homeless: None) -> None:
    fault = "storage: ~/.cache/raysernas is nowhere: this user has no home folder"
    remote = assign(Config(), {"study.storage": "memory://bucket"})
    assert refusal(lambda: cache_folder(remote)).startswith(fault)
    assert refusal(lambda: StudyFiles(place("memory://bucket/x")).journal).startswith(fault)
    assert "names a home folder that is not there" in refusal(lambda: place("~/results"))
    assert at_home(Path("/tmp/x")) == Path("/tmp/x")


def test_ray_is_given_a_home_where_there_is_none(homeless: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster.home(Path("/private")) == {"HOME": "/private"}
    monkeypatch.setenv("HOME", "/mine")
    assert cluster.home(Path("/private")) == {}


def test_ray_starts_outside_the_users_folder_but_inside_a_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "/one:/other")
    assert cluster.importable(Path("/private")) == Path("/private")
    monkeypatch.setenv("PYTHONPATH", "/one:../clone")
    assert cluster.importable(Path("/private")) == tmp_path
    monkeypatch.chdir(Path(cluster.__file__).parents[2])
    assert cluster.importable(Path("/private")) == Path.cwd()


@pytest.mark.parametrize("writable", [True, False])
def test_librosa_works_where_numba_can_keep_nothing(writable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: Any = importlib.import_module("numba").config
    monkeypatch.setattr(settings, "CACHE_DIR", "")
    monkeypatch.setattr(mel.os, "access", lambda *_: writable)
    assert mel.import_librosa().__name__ == "librosa"
    assert (settings.CACHE_DIR == "") == writable
    assert writable or Path(settings.CACHE_DIR).is_dir()


def test_a_folder_can_be_made_only_below_a_folder_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert mel._can_be_made(tmp_path / "a" / "b")
    assert not mel._can_be_made(tmp_path / "file" / "b")
    assert not mel._can_be_made(Path("~/.cache/numba")), "numba would make a folder of this name"


def test_without_docstrings_a_study_is_refused_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-OO", "-m", "raysernas.launch", f"study.storage={tmp_path}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith("launch: Python was started without docstrings, and Ray needs them\n")
    assert not list(tmp_path.iterdir())
