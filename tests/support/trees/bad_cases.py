"""Every way to spoil or vary a small corpus that the tests of bad corpora go through."""

import os
import unicodedata
from pathlib import Path

import numpy as np

from tests.support.trees import bad
from tests.support.trees.bad import (
    FILE,
    TABLE,
    TONE,
    Case,
    content,
    encoded,
    instead,
    listed,
    named,
    row,
    sounding,
    wav,
)

COPY, PLACE, STRETCH = (
    "replace it by a whole copy",
    "put the recording in its place",
    "correct start and end of this utterance",
)
FILL, WORD = "or remove the row", "write one of them, or leave the cell empty"
APART = "put the table into a folder"
SIX, TWO = (
    np.stack([TONE * share for share in shares], axis=1) for shares in ([1, 0, 0, 0, 0, 0.5], [1, 0.5])
)
NAN, INFINITE = (np.where(np.arange(len(TONE)) == 7, value, TONE) for value in (np.nan, np.inf))
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
NFC, NFD = (unicodedata.normalize(form, "M\u00e4rz") for form in ("NFC", "NFD"))

UNUSUAL = [  # is read as it was written
    Case(name="8 bits", make=sounding(TONE, TONE, "u1")),
    Case(name="24 bits", make=sounding(TONE, TONE, "<i3")),
    Case(name="32 bits", make=sounding(TONE, TONE, "<i4")),
    Case(name="32-bit float", make=sounding(TONE, TONE, "<f4")),
    Case(name="64-bit float", make=sounding(TONE, TONE, "<f8")),
    Case(name="A-law", make=encoded(".wav", "ALAW"), tolerance=0.02),
    Case(name="mu-law", make=encoded(".wav", "ULAW"), tolerance=0.02),
    Case(name="FLAC", make=encoded(".flac"), subjects=("wav/x.flac",), tolerance=1e-4),
    Case(name="OGG", make=encoded(".ogg"), subjects=("wav/x.ogg",), tolerance=0.05),
    Case(name="MP3", make=encoded(".mp3"), subjects=("wav/x.mp3",), tolerance=0.1),
    Case(name="96 kHz", make=sounding(TONE, TONE, rate_hz=96_000), rate_hz=96_000),
    Case(name="stereo", make=sounding(TWO, 0.75 * TONE)),
    Case(name="6 channels", make=sounding(SIX, 0.25 * TONE)),
    Case(name="1 sample", make=sounding(TONE[5:6], TONE[5:6])),
    Case(name="streamed, of unknown size", make=bad.streamed),
    Case(name="link", make=bad.linked),
    *(
        Case(name=f"name {each!r}", make=named(each), subjects=(f"wav/{each}",))
        for each in (
            "a b.wav",
            "'\".wav",
            "a\nb.wav",
            "-x.wav",
            "50%.wav",
            "a#1.wav",
            "a,b.wav",
            r"a\b.wav",
            "x.WAV",
            "{}$x.wav",
        )
    ),
    Case(name="umlaut, composed", make=named(f"{NFC}.wav"), subjects=(f"wav/{NFC}.wav",)),
    Case(name="umlaut, taken apart", make=named(f"{NFD}.wav"), subjects=(f"wav/{NFC}.wav",)),
    Case(
        name="umlaut, composed in the table only",
        make=named(f"{NFD}.wav", f"{NFC}.wav"),
        subjects=(f"wav/{NFC}.wav",),
    ),
    Case(name="byte order mark", make=bad.text(str, "utf-8-sig")),
    Case(name="line ends of Windows", make=bad.text(str, newline="\r\n")),
    Case(name="line ends of old Macs", make=bad.text(str, newline="\r")),
    Case(name="blank lines", make=bad.text(lambda lines: lines.replace("\n", "\n\n"))),
    Case(name="blanks around cells", make=bad.text(lambda lines: lines.replace(",", " , "))),
    Case(name="Parquet, speakers are numbers", make=bad.parquet, root="labels.parquet"),
    Case(name="folder in place of its table", make=bad.text(str), root=""),
]
BAD = [  # is told, and the corpus is read without it if the study says so
    Case(
        name="cut off",
        make=content(wav(TONE)[:5_000]),
        what="is cut off: 4956 bytes of sound, 8000 in its header",
        fix=COPY,
    ),
    Case(
        name="header that lies",
        make=content(wav(TONE, claimed=10**6)),
        what="is cut off: 8000 bytes of sound, 1000000",
        fix=COPY,
    ),
    Case(
        name="cut off in its header",
        make=content(wav(TONE)[:30]),
        what="is no audio that can be read",
        fix="replace it by",
    ),
    Case(name="no frames", make=content(wav(TONE[:0])), what="has no samples", fix=COPY),
    Case(
        name="silence",
        make=content(wav(0 * TONE)),
        what="is silent: all 4000 samples are 0",
        fix="take it out of the corpus",
    ),
    Case(
        name="NaN",
        make=content(wav(NAN, form="<f4")),
        what="has samples that are no numbers: 1 of 4000",
        fix=COPY,
    ),
    Case(
        name="infinite",
        make=content(wav(INFINITE, form="<f8")),
        what="has samples that are no numbers: 1 of 4000",
        fix=COPY,
    ),
    Case(
        name="text", make=content(b"404 not found\n"), what="read: Format not recognised", fix="replace it by"
    ),
    Case(
        name="Git-LFS pointer",
        make=content(LFS),
        what="is a Git-LFS pointer, not the audio",
        fix="run git lfs pull",
    ),
    Case(name="0 bytes", make=content(b""), what="is empty: 0 bytes", fix="fetch it again"),
    Case(name="label without audio", make=instead(lambda path: None), what="is missing", fix=PLACE),
    Case(
        name="link to nothing",
        make=instead(lambda path: path.symlink_to("gone")),
        what="is a link to gone, which is",
        fix=PLACE,
    ),
    Case(
        name="link to itself",
        make=instead(lambda path: path.symlink_to("x.wav")),
        what="cannot be read: Too many",
        fix="check the disk",
    ),
    Case(name="folder", make=instead(Path.mkdir), what="is a folder", fix=PLACE),
    Case(name="pipe", make=instead(os.mkfifo), what="is no file", fix=PLACE),
    Case(
        name="link to a device",
        make=instead(lambda path: path.symlink_to("/dev/zero")),
        what="is no file",
        fix=PLACE,
    ),
    Case(
        name="endless name",
        make=listed(row(f"{'x' * 300}.wav")),
        subjects=(f"{'x' * 300}.wav",),
        what="long",
        fix="name",
    ),
    Case(
        name="listed twice, equally",
        make=listed(row(), row()),
        what="is listed more than once",
        fix="list it once",
        kept=True,
    ),
    Case(
        name="listed twice, in conflict",
        make=listed(row(), row(emotion="calm")),
        subjects=(FILE, FILE),
        what="is listed 2 times, with differing emotion",
        fix="keep the one that is right",
    ),
    Case(
        name="one sound, two speakers",
        make=bad.same_sound,
        subjects=(FILE, "wav/y.wav"),
        what=", which has another speaker or emotion",
        fix="find out which label is right",
    ),
    Case(
        name="stretch outside the file",
        make=listed(row(start="0.1", end="0.5")),
        subjects=(f"{FILE}#0.1-0.5",),
        what="lies outside its file, which is 0.250 s long: 0.1 s to 0.5 s",
        fix=STRETCH,
    ),
    Case(
        name="stretch behind the file",
        make=listed(row(start="3")),
        subjects=(f"{FILE}#3.0-0.0",),
        what="lies outside its file, which is 0.250 s long: from 3.0 s on",
        fix=STRETCH,
    ),
    Case(
        name="two genders",
        make=bad.two_genders,
        subjects=(TABLE,),
        what="gives speaker s0 two genders",
        fix="correct the gender, or the speaker",
        kept=True,
    ),
    *(
        Case(name=name, make=listed(wrong), subjects=("labels.csv row 17",), what=what, fix=fix)
        for name, wrong, what, fix in (
            ("no emotion", row(emotion=" "), "has no emotion", FILL),
            ("no speaker", row(speaker=""), "has no speaker", FILL),
            ("no file", row(""), "has no file", FILL),
            ("unknown gender", row(gender="1"), "has the gender '1', not female, male", WORD),
            ("unknown split", row(split="fold1"), "has the split 'fold1', not train", WORD),
            ("no time", row(start="soon"), "has the start 'soon', which is no time", "write seconds"),
            ("negative time", row(end="-1"), "has the end '-1', which is no time", "write seconds"),
            (
                "end before start",
                row(start="0.2", end="0.1"),
                "ends at 0.1 s, which is not after",
                "correct its start and end",
            ),
            ("file above the table", row("../x.wav"), "names ../x.wav, which lies outside", APART),
            ("absolute path", row("/x.wav"), "names /x.wav, which lies outside", APART),
            (
                "folders of Windows",
                row(r"wav\x.wav"),
                r"separates the folders of wav\x.wav by backslashes",
                "forward slashes",
            ),
        )
    ),
]
REFUSED = [  # nothing can be read of it
    Case(
        name="semicolons",
        make=bad.text(lambda lines: lines.replace(",", ";")),
        what="separates its columns by semicolons",
    ),
    Case(
        name="tabs",
        make=bad.text(lambda lines: lines.replace(",", "\t")),
        what="separates its columns by tabs",
    ),
    Case(
        name="latin-1",
        make=bad.text(lambda lines: lines.replace("calm", "Ruhe, gel\u00f6st"), "latin-1"),
        what="is not written in UTF-8",
    ),
    Case(name="UTF-16", make=bad.text(str, "utf-16"), what="is not written in UTF-8"),
    Case(
        name="missing column",
        make=bad.text(lambda lines: lines.replace("speaker", "talker")),
        what="has no column 'speaker'",
    ),
    Case(
        name="doubled column",
        make=bad.text(lambda lines: lines.replace("gender", "file")),
        what="has two columns 'file'",
    ),
    Case(
        name="cells without a column",
        make=bad.text(lambda lines: f"{lines}a,b,c,d,e,f,g,h\n"),
        what="cannot be read",
    ),
    Case(name="quote without an end", make=bad.text(lambda lines: f'{lines}"a,b,c'), what="cannot be read"),
    Case(name="header only", make=bad.text(lambda lines: lines.splitlines()[0]), what="lists no utterances"),
    Case(name="nothing", make=bad.text(lambda lines: ""), what="cannot be read"),
    Case(name="torn Parquet", make=bad.torn, root="labels.parquet", what="labels.parquet cannot be read"),
    Case(
        name="no table",
        make=lambda folder: (folder / TABLE).unlink(),
        root="",
        what="does not hold a manifest",
    ),
    Case(
        name="two tables",
        make=lambda folder: (folder / "new.csv").touch(),
        root="",
        what="holds several tables",
    ),
]
