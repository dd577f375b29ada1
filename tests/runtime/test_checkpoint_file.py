"""Laws of weights on disk: they come back equal, no code in them is run, a full disk is a five-part error."""

import pickle
import shutil
import subprocess
import sys

import pytest
import torch

from raysernas.config.fault import Fault
from raysernas.runtime import checkpoint_file


def test_tensors_come_back_equal(tmp_path):
    state = {"a": torch.randn(3, 4), "b": torch.arange(5)}
    checkpoint_file.save(tmp_path / "w" / "x.pt", state)
    assert all(
        torch.equal(value, state[name])
        for name, value in checkpoint_file.load(tmp_path / "w" / "x.pt").items()
    )
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["x.pt"]


class Hostile:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_hostile_file_is_refused_and_runs_nothing(tmp_path):
    torch.save({"a": Hostile(tmp_path / "ran")}, tmp_path / "x.pt")
    with pytest.raises(pickle.UnpicklingError):
        checkpoint_file.load(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("mount"), reason="a small disk needs Linux and mount"
)
def test_a_full_disk_is_a_fault_and_leaves_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True, check=False
    ).returncode:
        pytest.skip("a small disk needs the right to mount")
    try:
        with pytest.raises(Fault, match="No space left on device"):
            checkpoint_file.save(disk / "x.pt", {"a": torch.randn(100_000)})
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)
