"""The screen that a new user sees first, and the same for programs."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

from raysernas.corpora import __main__ as door
from raysernas.corpora.check import first_study
from raysernas.corpora.check.printing import as_json, clean, print_report
from raysernas.corpora.check.report import Bar, CorpusReport, Durations, EmotionCount, Scheme, SpeakerCount
from raysernas.corpora.comparison import PublishedCount, PublishedTable
from raysernas.corpora.corpus import Remark

COUNTS = {"03": 1_002, "08": 1}
REPORT = CorpusReport(
    corpus="emodb",
    root="/data/emodb",
    label="usual",
    channel="mean",
    utterances=1_004,
    usable=1_003,
    files=1_004,
    emotions=(
        EmotionCount(
            emotion="anger", raw_labels={"W": 1_003}, counts_as="anger", utterances=1_003, by_speaker=COUNTS
        ),
        EmotionCount(emotion="other", raw_labels={"o": 1}, counts_as="", utterances=1, by_speaker={"": 1}),
    ),
    speakers=(
        SpeakerCount(speaker="", gender="unknown", utterances=1),
        SpeakerCount(speaker="03", gender="male", utterances=1_002),
        SpeakerCount(speaker="08", gender="female", utterances=1),
    ),
    sessions={"1": 1_004},
    scenarios={},
    splits={"train": 1_000, "test": 4},
    sample_rates_hz={16_000: 1_002, 44_100: 1},
    channels={1: 1_002, 2: 1},
    levels_db={"03": -14.0, "08": -12.5},
    durations=Durations(
        hours=0.5,
        shortest_s=1.04,
        mean_s=1.8,
        longest_s=3.5,
        histogram=(
            Bar(from_s=1.0, to_s=1.5, utterances=3),
            Bar(from_s=1.5, to_s=2.0, utterances=1_000),
            Bar(from_s=2.0, to_s=4.0, utterances=0),
        ),
    ),
    published=(
        PublishedTable(
            title="emotions",
            source="the paper",
            by=("emotion",),
            cells=(PublishedCount(values=("anger",), published=1, found=1),),
        ),
        PublishedTable(
            title="speakers",
            source="the list",
            by=("speaker", "emotion"),
            cells=(
                PublishedCount(values=("03", "anger"), published=1_003, found=1_002),
                PublishedCount(values=("08", ""), published=0, found=1),
            ),
        ),
    ),
    remarks=(
        Remark(
            kind="bad", subject="wav/03a01Fa.wav", what="is missing", fix="put the recording in its place"
        ),
        Remark(
            kind="left out",
            subject="copy",
            what="holds files a second time",
            fix="nothing; every file is read once",
        ),
        *(
            Remark(kind="warning", subject=f"{at}.wav", what="is 0.10 s short", fix="look")
            for at in range(12)
        ),
    ),
    schemes=(
        Scheme(
            name="session", usual=False, speaker_dependent=False, folds=(), why_not="there is one session"
        ),
        Scheme(name="speaker", usual=True, speaker_dependent=False, folds=("03", "08"), why_not=""),
        Scheme(name="random", usual=False, speaker_dependent=True, folds=("1", "2", "3", "4"), why_not=""),
    ),
    hindrance="",
    confounded=(),
    notes=("The emotion is the one that was acted.",),
)
SCREEN = """
emodb is not fine: 1 file or row cannot be used, 1 of 2 published tables does not fit; 1,003 of
1,004 utterances can be used: 0.50 h, 2 speakers, 1,003 of them in 1 class

 emotion  label  counts as  utterances  unknown   03 m  08 f
 ───────────────────────────────────────────────────────────
 anger    W      anger           1,003        0  1,002     1
 other    o      -                   1        1      0     0

 all                             1,004        1  1,002     1

root       /data/emodb
speakers   2 (1 female, 1 male); 1 to 1,002 utterances each; 1 of unknown speakers
sessions   1: 1,004
parts      train: 1,000, test: 4
files      1,004; 1,002 with 16,000 Hz, 1 with 44,100 Hz; 1,002 with 1 channel, 1 with 2 channels,
           averaged; 1 cannot be used
durations  1.04 to 3.50 s, mean 1.80 s
           1.0 to 1.5 s  █ 3
           1.5 to 2.0 s  ████████████████████████████████████████ 1,000
           2.0 to 4.0 s   0
published  emotions: 1 number, all found (the paper)
published  speakers: 2 of 2 numbers differ (the list)
           03, anger: 1,003 published, 1,002 found (-1)
           08, none: 0 published, 1 found (+1)

bad: 1 (cannot be used)
  wav/03a01Fa.wav is missing
    fix: put the recording in its place

left out: 1 (by a rule of the release)
  copy holds files a second time
    fix: nothing; every file is read once

warning: 12 (used, but worth a look)
  0.wav is 0.10 s short
  1.wav is 0.10 s short
  2.wav is 0.10 s short
  3.wav is 0.10 s short
  4.wav is 0.10 s short
  5.wav is 0.10 s short
  6.wav is 0.10 s short
  7.wav is 0.10 s short
  8.wav is 0.10 s short
  9.wav is 0.10 s short
  and 2 more; --json lists all
    fix: look

notes
  The emotion is the one that was acted.

 corpus.folds   folds
 ─────────────────────────────────────────────────────────────────────────────────
 speaker            2   usual
 random             4   speaker-dependent: with corpus.speaker_dependent=true only
 session            -   there is one session

a first study
  python -P -m raysernas.launch emodb corpus.root=/data/emodb corpus.on_bad_file=skip
"""
FINE = replace(REPORT, published=REPORT.published[:1], remarks=REPORT.remarks[1:])


def screen(report: CorpusReport, width: int = 100) -> str:
    """What is printed, without blanks at the ends of lines."""
    out = StringIO()
    print_report(report, Console(file=out, width=width, color_system=None))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def overrides(command: str) -> list[str]:
    """What the launch is given by the shell, without its configuration."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-P", "-m", "raysernas.launch"]
    return [word for word in words[4:] if "=" in word]


# --- the screen


def test_the_whole_screen() -> None:
    assert screen(REPORT) == SCREEN.strip("\n")


def test_the_first_line_says_whether_all_is_well() -> None:
    told = "1,004 utterances, 0.50 h, 2 speakers, 1,003 of them in 1 class; nothing bad"
    assert screen(FINE, 120).splitlines()[0] == f"emodb is fine: {told}, all as published"
    assert screen(replace(FINE, published=()), 120).splitlines()[0] == f"emodb is fine: {told}"
    hindered = screen(
        replace(FINE, hindrance="corpus: the emotion 'x' cannot be learned\n  fix: add recordings"), 200
    )
    assert hindered.startswith("emodb is not fine: no study of the usual classes is possible; ")
    assert hindered.endswith("corpus: the emotion 'x' cannot be learned\n  fix: add recordings")


@pytest.mark.parametrize("width", [50, 70, 100])
def test_no_line_but_the_command_is_wider_than_the_terminal(width: int) -> None:
    *lines, _command = screen(REPORT, width).splitlines()
    assert max(map(len, lines)) <= width
    assert any(re.fullmatch(r" anger\s+W\s+anger\s+1,003.*", line) for line in lines)


def test_speakers_have_columns_only_where_there_is_room() -> None:
    many = tuple(SpeakerCount(speaker=f"{at:02}", gender="female", utterances=10 + at) for at in range(24))
    text = screen(replace(REPORT, speakers=many))
    assert "00 f" not in text
    assert "speakers   24 (24 female); 10 to 33 utterances each\n" in text
    assert "speakers   1 (1 female); 10 utterances each\n" in screen(replace(REPORT, speakers=many[:1]))
    assert "23 f" in screen(replace(REPORT, speakers=many), 250)


def test_a_terminal_of_few_letters_gets_bars_too() -> None:
    with Path(os.devnull).open("w", encoding="ascii") as raw:
        console = Console(file=raw, width=100, color_system=None, record=True)
        print_report(REPORT, console)
    assert "1.5 to 2.0 s  ######################################## 1,000" in console.export_text()


def test_names_are_printed_as_they_are_and_on_one_line() -> None:
    names = [
        "[red]a[/red].wav",
        "ü'\".wav",
        "line\nend.wav",
        os.fsdecode(b"\xff.wav"),
        "\x1b[31m.wav",
        "[/].wav",
    ]
    remarks = tuple(
        Remark(kind="bad", subject=name, what="is missing", fix="[bold]look[/bold]") for name in names
    )
    text = screen(replace(REPORT, remarks=remarks, root="/[b]\n", notes=("[i]\n",), sessions={"[s]": 1}))
    for name in ("[red]a[/red].wav", "ü'\".wav", "line\\nend.wav", "\\udcff.wav", "\\x1b[31m.wav", "[/].wav"):
        assert f"  {name} is missing\n" in text
    for line in ("    fix: [bold]look[/bold]", "root       /[b]\\n", "  [i]\\n", "sessions   [s]: 1"):
        assert f"{line}\n" in text


def test_what_can_be_printed_is_left_alone() -> None:
    assert clean("Ärger, 怒り, é\t\u202e") == "Ärger, 怒り, é\\t\\u202e"


# --- for programs


def test_json_holds_everything_in_ascii() -> None:
    odd = Remark(kind="bad", subject=os.fsdecode(b"\xff\n\"'\xc3\xa4"), what="is missing", fix="look")
    text = as_json(replace(REPORT, remarks=(*REPORT.remarks, odd)))
    assert text.isascii()
    found = json.loads(text)
    assert list(found) == [
        "fits",
        "corpus",
        "root",
        "label",
        "channel",
        "utterances",
        "usable",
        "files",
        "emotions",
        "speakers",
        "sessions",
        "scenarios",
        "splits",
        "sample_rates_hz",
        "channels",
        "levels_db",
        "durations",
        "published",
        "remarks",
        "schemes",
        "hindrance",
        "confounded",
        "notes",
        "first_study",
    ]
    assert (found["fits"], len(found["remarks"]), found["sample_rates_hz"]) == (
        False,
        15,
        {"16000": 1_002, "44100": 1},
    )
    assert found["remarks"][-1] == {
        "kind": "bad",
        "subject": odd.subject,
        "what": "is missing",
        "fix": "look",
    }
    assert found["published"][1]["cells"][0] == {
        "values": ["03", "anger"],
        "published": 1_003,
        "found": 1_002,
    }
    assert found["first_study"] == first_study.command(REPORT)


# --- the door


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three speakers, each twice in each of two emotions."""
    rows = ["file,emotion,speaker"]
    for number, (speaker, emotion) in enumerate(
        (speaker, emotion) for speaker in "abc" for emotion in ("Ärger", "joy") * 2
    ):
        soundfile.write(
            tmp_path / f"{number}.wav", np.random.default_rng(number).uniform(-0.1, 0.1, 8_000), 16_000
        )
        rows.append(f"{number}.wav,{emotion},{speaker}")
    (tmp_path / "all.csv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path / "all.csv"


def test_the_door_tells_good_from_bad_and_from_mistaken(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert door.main(["check", "manifest", str(table)]) == 0
    assert capsys.readouterr().out.startswith(
        "manifest is fine: 12 utterances, 0.00 h, 3 speakers, 2 classes; nothing bad\n"
    )
    (table.parent / "0.wav").unlink()
    assert door.main(["check", "manifest", str(table)]) == 1
    assert "  0.wav is missing\n" in capsys.readouterr().out
    assert door.main(["check", "manifest", str(table.parent / "gone.csv")]) == 2
    out, error = capsys.readouterr()
    assert (out, error.splitlines()[0]) == ("", f"corpus: there is no {table.parent / 'gone.csv'}")


def test_the_door_checks_the_channel_that_is_asked_for(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(9).uniform(-0.1, 0.1, 8_000)
    soundfile.write(table.parent / "0.wav", np.stack([noise, -noise], axis=1), 16_000)
    assert door.main(["check", "manifest", str(table)]) == 1
    assert "they cancel each other" in capsys.readouterr().out
    assert door.main(["check", "manifest", str(table), "--channel", "left"]) == 0
    assert "--channel left" in capsys.readouterr().out


def test_json_is_all_that_is_on_stdout(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert door.main(["check", "manifest", str(table), "--json"]) == 0
    out, error = capsys.readouterr()
    assert ([count["emotion"] for count in json.loads(out)["emotions"]], error) == (["joy", "Ärger"], "")


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_reader_that_has_seen_enough_is_no_error(table: Path, more: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "raysernas.corpora", "check", "manifest", str(table), *more]
    run = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (run.returncode, run.stderr) == (0, "")


def test_an_unknown_corpus_is_refused_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("emobd", "synthetic"):
        with pytest.raises(SystemExit) as caught:
            door.main(["check", name, "/data"])
        assert caught.value.code == 2
        assert "choose from" in capsys.readouterr().err
