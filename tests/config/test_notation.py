"""How people write values: the table of configs/README.md, from a file and from the command line alike."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raysernas.config.files import load
from raysernas.config.identity import flatten
from tests.support.faults import refusal
from tests.support.sources import ROOT

REFUSED = "refused"


def forms() -> Iterator[tuple[str, str, str]]:
    """(setting, a form of its value, what it means) of every row of the table."""
    text = (ROOT / "configs" / "README.md").read_text(encoding="utf-8")
    rows = text.partition("### How a value is written")[2].partition("\n## ")[0]
    for key, written, meaning in re.findall(r"^\| `([\w.]+)` \| (.+) \| (.+) \|$", rows, re.MULTILINE):
        for form in re.findall(r"`([^`]+)`", written):
            yield key, form, meaning


def meaning(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each}" for key, each in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_table_has_rows_of_every_kind_of_value() -> None:
    found = list(forms())
    assert {type(flatten(load())[key]) for key, _, _ in found} == {int, float, bool, str, tuple, dict}
    assert any(form == "1_000" and expected == REFUSED for _, form, expected in found)


@pytest.mark.parametrize(("key", "form", "expected"), [*forms()])
def test_a_form_means_the_same_in_a_file_and_on_the_command_line(
    key: str, form: str, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    section, name = key.split(".")
    path.write_text(f"{section}:\n  {name}: {form}\n", encoding="utf-8")
    if expected == REFUSED:
        text = refusal(lambda: load(None, [f"{key}={form}"]))
        assert key in text or "duplicate key" in text
        assert key in (text := refusal(lambda: load(str(path)))) or "duplicate key" in text
    else:
        assert meaning(flatten(load(None, [f"{key}={form}"]))[key]) == expected
        assert meaning(flatten(load(str(path)))[key]) == expected


@pytest.mark.parametrize(
    "root",
    [
        "/EmoDB #2/labels.csv",
        "/a: b",
        "[old] EmoDB",
        "{old}",
        "/a, b",
        "a=b",
        "-",
        "/it's",
        "! x",
        "* y",
        "% z",
    ],
)
def test_a_path_on_the_command_line_is_taken_whole(root: str) -> None:
    assert load(None, [f"corpus.root={root}"]).corpus.root == root


def test_a_byte_order_mark_and_line_ends_of_windows_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes("\ufeffstudy:\r\n  name: mine\r\n".encode())
    assert load(str(path)).study.name == "mine"


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100, "a: &a [*a, *a]"])
def test_values_without_end_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert "is not readable YAML" in refusal(lambda: load(str(path)))
