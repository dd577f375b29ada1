"""Laws of Ray for the time of a study: how many trials run at once, what is cleaned up, what is refused.
Starts no Ray.
"""

import fcntl
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from raysernas.config.files import load
from raysernas.config.schema import Config
from raysernas.fleet import cluster
from raysernas.fleet.cluster import OWNER, QUIET, environment, slots, sweep, temporary, trials_that_fit
from tests.support.faults import refusal


def plan(config: Config, slots: int = 0, cpus: int = 1, gpus: float = 0.0) -> Any:
    """The part of a plan that a cluster looks at."""
    return SimpleNamespace(config=config, slots=slots, cpus_per_trial=cpus, gpus_per_trial=gpus)


@pytest.mark.parametrize(
    ("found", "cpus", "gpus", "trials"),
    [
        ({"CPU": 8.0}, 2, 0.0, 4),
        ({"CPU": 64.0, "GPU": 4.0}, 2, 1.0, 4),
        ({"CPU": 64.0, "GPU": 1.0}, 2, 0.25, 4),
        ({"CPU": 64.0, "GPU": 0.9}, 1, 0.3, 3),  # 0.9 / 0.3 is a little less than 3
        ({}, 1, 0.0, 0),
    ],
)
def test_a_cluster_takes_what_fits(found: dict[str, float], cpus: int, gpus: float, trials: int) -> None:
    assert trials_that_fit(plan(Config(), cpus=cpus, gpus=gpus), found) == trials


def test_a_trial_more_than_fits_waits_so_that_a_cluster_without_workers_grows() -> None:
    now_s, found = [0.0], {}
    asked = slots(plan(Config(), cpus=2), lambda: found, clock=lambda: now_s[0])
    assert asked() == 1  # a head without CPUs, and no worker
    found["CPU"] = 8.0
    assert asked() == 1  # it is not looked at all the time
    now_s[0] += 3
    assert asked() == 5
    found.clear()
    now_s[0] += 3
    assert asked() == 1


def test_trials_at_once_may_be_set_for_clusters_that_grow_by_many() -> None:
    asked = slots(plan(load(None, ["study.resources.trials_at_once=64"])), dict)
    assert asked() == 64


def test_on_this_machine_the_plan_says_how_many_trials_run_at_once() -> None:
    assert slots(plan(Config(), slots=2), dict)() == 2


def test_ray_client_is_refused() -> None:
    assert "launch on a node of the cluster" in refusal(lambda: cluster._join("ray://head:10001"))


def test_an_address_that_does_not_answer_is_a_fault() -> None:
    fault = refusal(lambda: cluster._join("127.0.0.1:1"))
    assert fault.startswith("cluster: Ray at 127.0.0.1:1 does not answer\n  got: ")


def test_no_other_user_can_read_the_token_of_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("secret")
    token.chmod(0o644)
    refusal(lambda: cluster._join("127.0.0.1:1"))
    assert token.stat().st_mode & 0o777 == 0o600


def test_folders_of_killed_launches_are_deleted_and_those_of_running_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "LONGEST_TEMPORARY", 1000)
    monkeypatch.setattr(cluster.tempfile, "tempdir", str(tmp_path))
    left, other = tmp_path / "rsn-left", tmp_path / "rsn-unknown"
    for folder in (left, other):
        (folder / "session").mkdir(parents=True)
    (left / OWNER).write_text("")
    with temporary() as held:
        assert not left.exists()
        assert other.exists()  # nobody has said that it is a launch's
        sweep(tmp_path)
        assert Path(held).exists()
        with Path(held, OWNER).open() as owner, pytest.raises(BlockingIOError):
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not Path(held).exists()


def test_a_folder_that_is_still_written_to_is_left_for_a_later_launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's agents outlive a killed cluster by a minute, and put their logs there again."""
    left = tmp_path / "rsn-left"
    (left / "session").mkdir(parents=True)
    (left / OWNER).write_text("")
    remove = cluster.shutil.rmtree

    def removed(path: Path, *, ignore_errors: bool) -> None:
        remove(path, ignore_errors=ignore_errors)
        if path.name == "session":
            path.mkdir()

    monkeypatch.setattr(cluster.shutil, "rmtree", removed)
    sweep(tmp_path)
    assert (left / OWNER).exists()
    monkeypatch.undo()
    sweep(tmp_path)
    assert not left.exists()


def test_environment_variables_are_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "1")
    before = dict(os.environ)
    with environment(QUIET):
        assert os.environ.items() >= QUIET.items()
    assert dict(os.environ) == before
