"""Folds on disk: written as CSV, hashed, and read from our CSV or from the lists of EmoBox.

In: a corpus and its folds, or a file of folds. Out: a CSV `fold,name,part,key`, a hash, or the folds. Our CSV
names an utterance by its key. The lists of EmoBox may put the name of the corpus before it, or name a file.
EmoBox: github.com/emo-box/EmoBox, folders `fold_1` to `fold_k` with `CORPUS_train_fold_1.jsonl`, one
utterance a line.
"""

import csv
import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import Corpus

COLUMNS = ("fold", "name", "part", "key")
PARTS = ("train", "valid", "test")
FOLDER = re.compile(r"fold_(?P<number>\d+)")
SPECIAL = re.compile(r'[",\r\n]')
NUMBER = re.compile(r"[0-9]{1,6}")
DIGITS = 16  # hexadecimal, of a hash
WHERE = "folds"
# number and name of the fold, part, possible names of the utterance
FoldLine = tuple[int, str, str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fold:
    """Indices into `corpus.utterances`, ascending; an utterance may be in no part."""

    name: str
    train: tuple[int, ...]
    valid: tuple[int, ...]
    test: tuple[int, ...]


def text(corpus: Corpus, folds: Sequence[Fold]) -> str:
    """The folds as CSV: one row for each utterance of each part of each fold, sorted."""
    lines = [",".join(COLUMNS)]
    keys = [_cell(utterance.key) for utterance in corpus.utterances]
    for number, fold in enumerate(folds):
        for part in PARTS:
            start = f"{number},{_cell(fold.name)},{part},"
            lines.extend(start + key for key in sorted(keys[index] for index in getattr(fold, part)))
    return "\n".join(lines) + "\n"


def hash_of(corpus: Corpus, folds: Sequence[Fold]) -> str:
    """A hash of which key is in which part of which fold; it does not depend on names of folds or the order
    of rows.
    """
    places = np.zeros((len(corpus.utterances), len(folds)), dtype=np.uint8)
    for number, fold in enumerate(folds):
        for mark, part in enumerate(PARTS, start=1):
            places[list(getattr(fold, part)), number] = mark
    keys = [utterance.key for utterance in corpus.utterances]
    order = sorted(np.flatnonzero(places.any(axis=1)).tolist(), key=lambda index: keys[index])
    content = hashlib.sha256(json.dumps([len(folds), [keys[index] for index in order]]).encode())
    content.update(places[order].tobytes())
    return content.hexdigest()[:DIGITS]


def read(path: Path, corpus: Corpus) -> tuple[Fold, ...]:
    """The folds in a CSV or a folder of EmoBox lists; without a list for validation, that part is empty.

    Listed utterances that the corpus does not contain (of other classes, say) are ignored. Utterances that no
    list names are in no part.

    Raises:
        Fault: for a file that cannot be read, an unknown part, and lists of another corpus.
    """
    if not path.exists():
        raise Fault(
            WHERE,
            f"there is no {path}",
            got=f"corpus.fold_file={path}",
            expected="a folds.csv, or a folder of EmoBox lists",
            fix="set corpus.fold_file=PATH",
        )
    index = _index(corpus)
    members: dict[int, dict[str, set[int]]] = {}
    titles: dict[int, str] = {}
    matched: dict[str, bool] = {}
    try:
        lines = list(_emobox_lines(path) if path.is_dir() else _csv_lines(path))
    except OSError as error:
        raise _broken(
            path, "cannot be read", got=str(error), expected="files and folders that may be read"
        ) from error
    loose = Counter(names[-1] for names in {names for _, _, _, names in lines})
    for number, title, part, names in lines:
        # a file name that several utterances share identifies none
        offered = names if loose[names[-1]] == 1 else names[:-1] or names
        found = next((index[name] for name in offered if name in index), None)
        matched[names[0]] = found is not None
        fold = members.setdefault(number, {each: set() for each in PARTS})
        if found is not None:
            fold[part].add(found)
        if titles.setdefault(number, title) != title:
            raise _broken(
                path,
                f"fold {number} has two names",
                got=f"{titles[number]}, {title}",
                expected="one name for each fold",
            )
    _check_matched(path, corpus, matched, members.values())
    return tuple(
        Fold(
            name=titles[number], **{part: tuple(sorted(indices)) for part, indices in members[number].items()}
        )
        for number in sorted(members)
    )


def _cell(word: str) -> str:
    """A cell, quoted if necessary. Python's csv module does not quote a lone carriage return, and then cannot
    read it.
    """
    doubled = word.replace('"', '""')
    return f'"{doubled}"' if SPECIAL.search(word) else word


def _index(corpus: Corpus) -> dict[str, int]:
    """The indices of utterances by key, and by file name where it is unique."""
    stems: dict[str, list[int]] = defaultdict(list)
    for place, utterance in enumerate(corpus.utterances):
        stems[_stem(utterance.key)].append(place)
    alone = {stem: places[0] for stem, places in stems.items() if len(places) == 1}
    return alone | {utterance.key: place for place, utterance in enumerate(corpus.utterances)}


def _stem(path: str) -> str:
    """The name of a file without folders and suffix."""
    last = path.replace("\\", "/").rpartition("/")[2]
    return last.rpartition(".")[0] or last


def _check_matched(
    path: Path, corpus: Corpus, matched: dict[str, bool], members: Iterable[dict[str, set[int]]]
) -> None:
    """Refuse lists of another corpus: they share less than half of their utterances, and of the corpus's."""
    known = sum(matched.values())
    used = len({index for fold in members for indices in fold.values() for index in indices})
    if not known or (2 * known < len(matched) and 2 * used < len(corpus.utterances)):
        stranger = next((name for name, found in matched.items() if not found), "none at all")
        raise Fault(
            WHERE,
            f"{path} does not fit {corpus.name}",
            got=f"{len(matched)} utterances named, of which {len(matched) - known} are not in the corpus, "
            f"such as {stranger}",
            expected=f"most of them among the {len(corpus.utterances)} of the corpus, such as "
            f"{corpus.utterances[0].key}",
            fix="set corpus.fold_file to the lists of this corpus",
        )


def _csv_lines(path: Path) -> Iterator[FoldLine]:
    rows = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = next(rows, [])
        if set(header) - {"name"} != {"fold", "part", "key"} or len(set(header)) != len(header):
            raise _broken(
                path,
                "has other columns",
                got=", ".join(header),
                expected=",".join(COLUMNS) + "; name may be missing",
            )
        places = {column: header.index(column) for column in header}
        for row in rows:
            if not row:
                continue
            place = f"line {rows.line_num}"
            if len(row) != len(header):
                raise _broken(
                    path, place, got=f"{len(row)} cells", expected=f"{len(header)}, as in its first line"
                )
            number, part = row[places["fold"]], row[places["part"]]
            if not NUMBER.fullmatch(number):
                raise _broken(path, place, got=f"fold {number!r}", expected="the number of a fold")
            if part not in PARTS:
                raise _broken(path, place, got=f"part {part!r}", expected=", ".join(PARTS))
            key = row[places["key"]]
            title = row[places["name"]] if "name" in places else f"fold {number}"
            yield int(number), title, part, (key, _stem(key))
    except csv.Error as error:
        raise _broken(path, f"line {rows.line_num}", got=str(error), expected="a CSV") from error


def _emobox_lines(root: Path) -> Iterator[FoldLine]:
    folders = {
        int(fit["number"]): each
        for each in root.iterdir()
        if (fit := FOLDER.fullmatch(each.name)) and each.is_dir()
    }
    if not folders:
        names = ", ".join(sorted(each.name for each in root.iterdir())[:5])
        raise _broken(
            root,
            "holds no lists of EmoBox",
            got=names or "an empty folder",
            expected="fold_1/CORPUS_train_fold_1.jsonl and so on",
        )
    for number in sorted(folders):
        for part, file in _lists(folders[number], number).items():
            for count, line in enumerate(_text(file).split("\n"), start=1):
                if line.strip():
                    yield number, f"fold_{number}", part, _names(file, f"line {count}", line)


def _lists(folder: Path, number: int) -> dict[str, Path]:
    """The file of each part; `_fold1` is an older spelling, beside which EmoBox keeps the newer one."""
    found: dict[str, Path] = {}
    for spelling in (f"fold_{number}", f"fold{number}"):
        for file in sorted(folder.glob(f"*_{spelling}.jsonl")):
            part = file.name.removesuffix(f"_{spelling}.jsonl").rpartition("_")[2]
            if part not in PARTS:
                raise _broken(file, "names an unknown part", got=part, expected=", ".join(PARTS))
            if found.setdefault(part, file) != file and spelling == f"fold_{number}":
                raise _broken(
                    folder,
                    f"holds two lists for {part}",
                    got=f"{found[part].name}, {file.name}",
                    expected="one",
                )
    for part in ("train", "test"):
        if part not in found:
            expected = f"CORPUS_{part}_fold_{number}.jsonl"
            raise _broken(
                folder, f"has no list for {part}", got=", ".join(found) or "no list", expected=expected
            )
    return found


def _names(file: Path, place: str, line: str) -> tuple[str, ...]:
    """Possible names of an utterance of EmoBox: its key, the key without the name of the corpus, its file."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _broken(file, place, got=line[:80], expected="JSON, one object a line") from error
    texts = {name: row.get(name) for name in ("key", "dataset", "wav")} if isinstance(row, dict) else {}
    key, dataset, wav = (
        value if isinstance(value, str) else "" for value in (texts.get(n) for n in ("key", "dataset", "wav"))
    )
    found = tuple(name for name in (key, key.removeprefix(f"{dataset}-"), _stem(wav)) if name)
    if not found:
        raise _broken(file, place, got=line[:80], expected='an object with "key" or "wav"')
    return found


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(path, "cannot be read", got=str(error), expected="a readable text in UTF-8") from error


def _broken(path: Path, what: str, *, got: str, expected: str) -> Fault:
    return Fault(
        WHERE,
        f"{path}: {what}",
        got=got,
        expected=expected,
        fix="correct it, or set corpus.fold_file to another",
    )
