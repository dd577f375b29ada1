"""The bar for work on many files."""

from io import StringIO

from rich.console import Console

from raysernas.record.progress_bar import progress_bar


def test_it_counts_on_a_terminal_and_leaves_nothing_behind() -> None:
    out = StringIO()
    with progress_bar(
        "inspecting", Console(file=out, force_terminal=True, width=80, legacy_windows=False)
    ) as report:
        report(3, 7)
    assert "inspecting" in out.getvalue()
    assert "3/7" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")  # the line is erased


def test_it_says_nothing_where_there_is_no_terminal() -> None:
    out = StringIO()
    with progress_bar("inspecting", Console(file=out, force_terminal=False)) as report:
        report(3, 7)
    assert out.getvalue() == ""


def test_it_does_not_appear_before_there_is_something_to_count() -> None:
    out = StringIO()
    with progress_bar("inspecting", Console(file=out, force_terminal=True, width=80, legacy_windows=False)):
        pass
    assert "inspecting" not in out.getvalue()
