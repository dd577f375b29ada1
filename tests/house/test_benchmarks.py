"""Every benchmark can be imported, is listed, and says how it is run."""

import importlib

import pytest

from tests.benchmarks.__main__ import main, names, summary


@pytest.mark.parametrize("name", names())
def test_a_benchmark_imports_and_says_how_it_is_run(name: str) -> None:
    module = importlib.import_module(f"tests.benchmarks.{name}")
    assert f"python -m tests.benchmarks.{name}" in (module.__doc__ or "")
    assert summary(name).endswith(".")


def test_they_are_listed_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == names()
    assert main(["nothing"]) == 2
    assert capsys.readouterr().err.startswith("no benchmark is called nothing")
