"""What several tests need: the real recordings, where they are given."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# read when torch loads: on maps this small, threads only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")

# a busy machine is no fault of the code; other examples come with each run, but not where CI judges a commit
settings.register_profile("raysernas", deadline=None, max_examples=25, derandomize="CI" in os.environ)
settings.load_profile("raysernas")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes for the quick tests; the others start clusters, kill processes and count seconds: one
    after the other.
    """
    quick = {"not slow", "not chaos"} <= {part.strip() for part in config.option.markexpr.split(" and ")}
    return min(2, os.cpu_count() or 1) if quick else 0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--emodb", metavar="PATH", help="folder of the real EmoDB, for the tests that read it")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell's background jobs ignore Ctrl-C, and so would the tests that hear it, and the processes that
    they start.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def emodb_root(request: pytest.FixtureRequest) -> Path:
    """The folder of the real EmoDB; without it the test is skipped, visibly."""
    if given := request.config.getoption("--emodb"):
        return Path(given)
    pytest.skip("real EmoDB not given: pytest --emodb=PATH")
