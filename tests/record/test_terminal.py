"""What is printed arrives: on any encoding, with any name in it, and with nobody listening."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.live import Live
from rich.table import Table
from rich.text import Text

from raysernas.record import terminal
from raysernas.record.progress_bar import progress_bar

HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x9b2J\r\b\x00\u202eabc"
SHOWN = r"\x1b]0;owned\x07\x1b[31mred\x9b2J\r\x08\x00\u202eabc"
PRINTS = "from raysernas.record.terminal import *\nwith lenient_streams('gone'):\n  {}\n"


def run(
    code: str, *, stdout: int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Python that prints inside `lenient_streams`."""
    command = [sys.executable, "-c", PRINTS.format(code)]
    env = {**os.environ, **environment}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, env=env, check=False)


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert terminal.printable(HOSTILE) == SHOWN
    assert terminal.printable("Ärger, 怒り\nعلي") == "Ärger, 怒り\nعلي"
    assert terminal.printable(os.fsdecode(b"\xff\n"), keep="") == r"\udcff\n"


def test_nothing_on_the_console_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    console = terminal.console()
    table = Table(HOSTILE, title=Text(HOSTILE))
    table.add_row(HOSTILE)
    for each in (HOSTILE, Text(HOSTILE), table):
        console.print(each, markup=False)
    with progress_bar(HOSTILE) as report:
        report(1, 2)
    terminal.print_error(HOSTILE)
    shown = "".join(capsys.readouterr()).replace("\n", "")
    assert shown.isprintable()
    assert "]0;owned" in shown


class Screen(io.StringIO):
    """A terminal that remembers what it is sent."""

    def isatty(self) -> bool:
        return True


def test_the_display_still_moves_the_cursor_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Screen()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("TERM", "xterm")
    console = terminal.console()
    with Live(Text(HOSTILE), console=console, transient=True):
        pass
    assert "\x1b[2K" in out.getvalue()
    assert "\x1b]0" not in out.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r", "utf-8"])
def test_what_an_encoding_lacks_has_a_plain_form(encoding: str) -> None:
    code = "console().print('65 ± 3 х 怒'); print('… ×'); print_error('怒 ±')"
    ran = run(code, PYTHONIOENCODING=encoding)
    assert ran.returncode == 0
    out, error = ran.stdout.decode(encoding), ran.stderr.decode(encoding)
    if encoding == "utf-8":
        assert (out.split(), error.split()) == (["65", "±", "3", "х", "怒", "…", "×"], ["怒", "±"])
    else:
        assert out.startswith("65 +- 3 ")
        assert r"\u6012" in out
        assert error.startswith(r"\u6012 ")


def test_a_reader_that_is_gone_ends_nothing_and_is_told_once() -> None:
    read, write = os.pipe()
    os.close(read)
    ran = run("[print(i, flush=True) for i in range(9)]; print_error('after')", stdout=write)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, b"gone\nafter\n")


def test_a_full_disk_and_a_closed_output_end_nothing() -> None:
    with Path("/dev/full").open("wb") as full:
        ran = run("console().print('x'); print('y')", stdout=full.fileno())
    assert (ran.returncode, ran.stderr) == (0, b"gone\n")
    script = f'exec "$0" -c "$1" >&-{" 2>&-"}'
    closed = subprocess.run(["sh", "-c", script, sys.executable, PRINTS.format("print('x')")], check=False)
    assert closed.returncode == 0


def test_the_streams_are_put_back() -> None:
    before = sys.stdout, sys.stderr
    with terminal.lenient_streams():
        assert (sys.stdout, sys.stderr) != before
    assert (sys.stdout, sys.stderr) == before
