"""The door: what it accepts, what it says when something is wrong, and what it returns. Starts no Ray."""

import errno
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from raysernas.config.files import load
from raysernas.config.identity import flatten
from raysernas.config.schema import Config
from raysernas.corpora import catalogue
from raysernas.features import loading
from raysernas.fleet import plan as planning
from raysernas.fleet import runner
from raysernas.launch import main
from raysernas.record.files import cache_folder
from raysernas.runtime.interrupts import Interrupts
from tests.support import fleet
from tests.support.faults import told

SMALL = (
    "study.arms=[cnn]",
    "study.folds=[0,1]",
    "study.seeds=[0]",
    "study.candidates=1",
    "study.space={}",
    "corpus.name=synthetic",
    "corpus.folds=speaker",
    "corpus.synthetic_speakers=4",
    "corpus.synthetic_takes=2",
    "network.designed_channels=2",
    "retrain.epochs=1",
)


def arguments(root: Path, *more: str) -> list[str]:
    return ["laptop", *SMALL, "study.name=small", f"study.storage={root}", *more]


def ended(root: Path, *, failing: int) -> None:
    """A study whose trials have all ended, the first so many failed."""
    plan = planning.resolve(load("laptop", arguments(root)[1:]))
    with fleet.opened(plan.files.root, plan.config) as queue:
        while (key := queue.next()) is not None:
            (fleet.fail if key.fold < failing else fleet.finish)(plan.files.root, queue, key)


def test_a_finished_study_runs_nothing_and_prints_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(tmp_path, failing=0)
    assert main(arguments(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "2 planned, 2 finished" in out
    assert "Test scores in percent" in out
    assert [line.rstrip() for line in out.splitlines()[-3:]] == [
        f"results    {tmp_path}/small",
        f"curves     tensorboard --logdir {tmp_path}/small/tensorboard",
        f"tables     python -P -m raysernas analysis {tmp_path}/small",
    ]


def test_a_failed_trial_is_named_and_returned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(tmp_path, failing=1)
    assert main(arguments(tmp_path)) == 1
    out = capsys.readouterr().out
    assert "2 planned, 1 finished, 1 failed" in out
    assert "cnn-c000-f0-s0 failed: it diverged" in out


def test_clearing_the_cache_deletes_features_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(tmp_path, failing=0)
    config = load("laptop", arguments(tmp_path)[1:])
    folder = cache_folder(config)
    loading.load(catalogue.read(config.corpus, folder), config.features, folder)
    before = set((tmp_path / "small").rglob("*"))
    assert list(folder.glob("features-*/*.arrow"))
    assert main(arguments(tmp_path, "--clear-cache")) == 0
    size, _, rest = capsys.readouterr().out.partition(" ")
    assert (float(size) > 0, rest) == (True, f"MB freed in {folder}\n")
    assert not list(folder.glob("features-*/*.arrow"))
    assert set((tmp_path / "small").rglob("*")) == before
    assert main(arguments(tmp_path, "--clear-cache")) == 0, "there may be nothing to clear"


def test_a_dry_run_and_clearing_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments(tmp_path, "--dry-run", "--clear-cache"))
    assert ended.value.code == 2


def test_a_dry_run_prints_the_expected_time_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            arguments(
                tmp_path, "--dry-run", "study.arms=[cnn,darts]", "network.channels=2", "search.epochs=1"
            )
        )
        == 0
    )
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[-3:]] == ["cnn", "darts", "expected"]
    assert "alpha step" in out
    assert "nothing was written" in out
    assert list(tmp_path.iterdir()) == []


def test_more_than_one_configuration_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["laptop", "emodb"]) == 2
    expected = told(
        "more than one CONFIG", "laptop emodb", "one, and key=value", "launch them one by one", where="launch"
    )
    assert capsys.readouterr().err == f"{expected}\n"


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ("search.epoch=3", "config: search.epoch is not a setting; did you mean search.epochs?"),
        ("search.epochs=many", "config: search.epochs has the wrong type"),
        ("study.arms=[cnn,dart]", "config: study.arms[1] cannot be 'dart'"),
        ("study.folds=[9]", "config: study.folds names fold 9"),
        ("corpus.name=emodb", "corpus: corpus.root is not set"),
        ("corpus.synthetic_speakers=2", "folds: synthetic has too few speakers"),
    ],
)
def test_a_mistake_is_one_fault_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str, what: str
) -> None:
    assert main(arguments(tmp_path, more)) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(what)
    assert [line.split(":")[0] for line in captured.err.splitlines()[1:]] == ["  got", "  expected", "  fix"]
    assert captured.out == ""


def test_a_word_that_is_no_configuration_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere"]) == 2
    assert capsys.readouterr().err.startswith("config: there is no configuration 'nowhere'")


def test_an_unknown_option_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--dry"])
    assert caught.value.code == 2
    assert "unrecognized arguments: --dry" in capsys.readouterr().err


def test_all_settings_are_listed_with_default_values_and_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--settings"]) == 0
    keys = [line.split()[0] for line in capsys.readouterr().out.splitlines() if re.match(r" \w+\.\w", line)]
    assert keys == list(flatten(Config()))


def test_the_settings_of_a_section_are_listed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--settings", "search.stop_r"]) == 0
    row = " ".join(capsys.readouterr().out.splitlines()[3].split())
    assert row.startswith("search.stop_ratio 0.75 0 <= number < 1 stop when the earlier mean")


def test_a_section_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--settings", "serach"]) == 2
    assert capsys.readouterr().err.startswith("launch: no setting begins with 'serach'")


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"raysernas \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize("option", ["--settings", "--version", "--help"])
def test_what_runs_nothing_answers_at_once(option: str) -> None:
    launch = f"from raysernas.launch import main\ntry: main(['{option}'])\nexcept SystemExit: pass"
    code = f"{launch}\nimport sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in ran.stdout.splitlines()[-1].split()}
    assert "raysernas" in loaded
    assert not loaded & {"torch", "ray", "optuna", "pandas", "scipy", "yaml"}


def test_a_terminal_that_hangs_up_stops_a_launch_and_is_no_error_of_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_plan: object, _display: object, _check: object, stops: Interrupts) -> None:
        with stops.answered(lambda number: None):
            signal.raise_signal(signal.SIGHUP)
        raise OSError(errno.EIO, "the display has no terminal")

    monkeypatch.setattr(runner, "run", run)
    assert main(arguments(tmp_path)) == 129
    assert capfd.readouterr().err == "\nstopped; the same command continues this study\n"


def test_an_interrupt_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupted)
    assert main(arguments(tmp_path)) == 130
    assert capfd.readouterr().err == "\nstopped; the same command continues this study\n"


def test_the_command_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "raysernas.launch", "study.candidates=0"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith("config: study.candidates is out of range")
    assert "Traceback" not in ran.stderr
