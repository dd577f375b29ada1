"""Laws of provenance: versions are the installed ones, the commit is the checkout's."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from raysernas.record.provenance import provenance


def test_versions_are_the_installed_ones():
    versions = json.loads(provenance()["versions"])
    assert versions["torch"] == version("torch")
    assert versions["ray"] == version("ray")
    assert versions["python"].count(".") == 2


def test_commit_is_the_one_that_is_checked_out():
    here = Path(__file__).parents[2]
    if not (here / ".git").exists():
        pytest.skip("not a checkout")
    head = subprocess.run(
        ["git", "-C", here, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
    )
    assert provenance()["commit"].removesuffix("+changes") == head.stdout.strip()
