"""The commands from the outside: in a folder with files of the user's, and without the audio libraries."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_launch import SMALL

ROOT = Path(__file__).parents[1]
WITHOUT_AUDIO = """
import runpy, sys
sys.modules.update(torchaudio=None, librosa=None)  # an import of either fails
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A fresh Python in this folder."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The folder of a study that has ended."""
    return shutil.copytree(ROOT / "tests" / "golden" / "ledger", tmp_path / "study")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A working folder of a user who has a script of the name `analysis.py`."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "analysis.py").write_text("print('the user wrote this')")
    return folder


@pytest.fixture
def shadowed(own: Path) -> Path:
    """A working folder whose files have the names of modules that we import; each ends its Python."""
    for name in ("random", "secrets", "tokenize", "queue", "numpy", "pandas", "yaml", "torch", "ray", "rich"):
        (own / f"{name}.py").write_text(f"raise SystemExit('the user wrote {name}')")
    return own


@pytest.mark.slow
def test_the_printed_commands_run_nothing_of_the_users(study: Path, shadowed: Path) -> None:
    assert run("-m", "raysernas", "analysis", study, cwd=shadowed).returncode == 1
    ran = run("-P", "-m", "raysernas", "analysis", study, cwd=shadowed)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Test scores in percent" in ran.stdout
    ran = run("-P", "-m", "raysernas.launch", "--dry-run", *SMALL, cwd=shadowed)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.slow
def test_the_workers_of_a_study_run_nothing_of_the_users(shadowed: Path) -> None:
    ran = run("-P", "-m", "raysernas.launch", *SMALL, "study.storage=results", cwd=shadowed)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2/2" in ran.stdout
    *_, command = ran.stdout.splitlines()
    assert command.startswith("tables     python -P -m raysernas analysis ")
    ran = run(*command.split()[2:], cwd=shadowed)
    assert ran.returncode == 0
    assert "the user" not in ran.stdout


def test_without_p_a_users_analysis_is_passed_over_too(study: Path, own: Path) -> None:
    assert run("-m", "analysis", study, cwd=own).stdout == "the user wrote this\n"
    ran = run("-m", "raysernas", "analysis", study, cwd=own)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "the user" not in ran.stdout


@pytest.mark.parametrize(
    ("command", "arguments", "refusal"),
    [
        ("launch", ["a", "b"], "launch: more than one CONFIG"),
        ("trial", ["a", "b"], "trial: more than one CONFIG"),
        ("corpora", [], "usage: python -m raysernas.corpora"),
        ("analysis", [], "usage: python -m analysis"),
    ],
)
def test_one_name_stands_before_every_command(
    command: str, arguments: list[str], refusal: str, own: Path
) -> None:
    ran = run("-m", "raysernas", command, *arguments, cwd=own)
    assert (ran.returncode, ran.stderr[: len(refusal)]) == (2, refusal)


def test_without_a_command_all_are_listed(own: Path) -> None:
    for arguments in ((), ("--help",)):
        ran = run("-m", "raysernas", *arguments, cwd=own)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert [line.split()[0] for line in ran.stdout.splitlines()[2:6]] == [
            *("launch", "trial", "corpora", "analysis")
        ]
    assert run("-m", "raysernas", "--version", cwd=own).stdout.startswith("raysernas ")
    ran = run("-m", "raysernas", "lunch", cwd=own)
    assert ran.returncode == 2
    assert ran.stderr.startswith("raysernas: there is no command 'lunch'")


@pytest.mark.parametrize(
    "command",
    [
        "raysernas.launch --help",
        "raysernas.launch --settings",
        f"raysernas.launch --dry-run {' '.join(SMALL)}",
        "analysis study",
    ],
)
def test_what_reads_no_sound_needs_no_audio_library(command: str, study: Path) -> None:
    ran = run("-c", WITHOUT_AUDIO, *command.split(), cwd=study.parent)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout
