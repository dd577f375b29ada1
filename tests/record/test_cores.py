"""Laws of the cores that a process may use. The files of control groups are faked here."""

from pathlib import Path

import pytest

from raysernas.record import cores as of
from raysernas.record.cores import cores

V1, V2 = "1:cpu,cpuacct:/docker/4f\n0::/\n", "0::/kubepods/pod7\n"


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
    monkeypatch.setattr(of.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    assert cores(tmp_path) == expected


def test_affinity_counts_below_a_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of.os, "sched_getaffinity", lambda _: {0, 5}, raising=False)
    assert cores(tmp_path) == 2
