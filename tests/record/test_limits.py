"""Laws of what a process may use of its machine. The files of control groups and processes are faked here."""

from pathlib import Path

import pytest

from raysernas.record import limits
from raysernas.record.limits import INFINITY, cores, processes_left

V1, V2 = "1:cpu,cpuacct:/docker/4f\n0::/\n", "0::/kubepods/pod7\n"


def write(root: Path, groups: str, files: dict[str, str]) -> None:
    """The groups of this process, and files below the mount of all groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        pytest.param(V2, {"kubepods/pod7/cpu.max": "100000 100000"}, 1, id="v2"),
        pytest.param(V2, {"kubepods/pod7/cpu.max": "350000 100000"}, 3, id="v2-part-of-a-core"),
        pytest.param(V2, {"kubepods/pod7/cpu.max": "50000 100000"}, 1, id="v2-less-than-one"),
        pytest.param(V2, {"kubepods/pod7/cpu.max": "max 100000"}, 8, id="v2-no-limit"),
        pytest.param(
            V2, {"kubepods/cpu.max": "200000 100000", "kubepods/pod7/cpu.max": "max 100000"}, 2, id="above"
        ),
        pytest.param("0::/\n", {"cpu.max": "200000 100000"}, 2, id="v2-inside-a-container"),
        pytest.param("0::/\n", {"unified/cpu.max": "200000 100000"}, 2, id="v2-beside-v1"),
        pytest.param(
            V1,
            {
                "cpu,cpuacct/docker/4f/cpu.cfs_quota_us": "200000",
                "cpu,cpuacct/docker/4f/cpu.cfs_period_us": "100000",
            },
            2,
            id="v1",
        ),
        pytest.param(
            V1,
            {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"},
            2,
            id="v1-inside-a-container",
        ),
        pytest.param(
            V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "50000"}, 8, id="v1-no-limit"
        ),
        pytest.param("", {}, 8, id="no-groups"),
        pytest.param(
            "3:memory:/\n", {"cpu/cpu.cfs_quota_us": "1", "cpu/cpu.cfs_period_us": "1"}, 8, id="other"
        ),
    ],
)
def test_the_quota_of_a_container_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, files: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    write(tmp_path, groups, files)
    assert cores(tmp_path) == expected


def test_affinity_counts_below_a_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda _: {0, 5}, raising=False)
    assert cores(tmp_path) == 2


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        pytest.param("0::/\n", {"pids.max": "150", "pids.current": "30"}, 120, id="v2"),
        pytest.param(
            "8:pids:/job\n", {"pids/job/pids.max": "90", "pids/job/pids.current": "30"}, 60, id="v1"
        ),
        pytest.param("0::/\n", {"pids.max": "max", "pids.current": "30"}, INFINITY, id="no-limit"),
        pytest.param("", {}, INFINITY, id="no-groups"),
    ],
)
def test_the_process_limit_of_a_container_counts(
    tmp_path: Path, groups: str, files: dict[str, str], expected: float
) -> None:
    write(tmp_path, groups, files)
    assert processes_left(tmp_path) == expected


def test_the_process_limit_of_a_user_counts_the_threads_of_all_processes_but_for_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for process, threads in {"7": 3, "8": 2}.items():
        for thread in range(threads):
            (tmp_path / "proc" / process / "task" / str(thread)).mkdir(parents=True)
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(limits.resource, "getrlimit", lambda _: (100, 100))
    for user, left in ((owner, 95), (owner + 1, 100), (0, INFINITY)):
        monkeypatch.setattr(limits.os, "getuid", lambda user=user: user)
        assert processes_left(tmp_path) == (left if user else INFINITY)
