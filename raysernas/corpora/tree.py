"""The folder of a release: its audio files, its texts, and the faults of a folder that is not the release."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.corpora.corpus import Label, Remark

OTHER_AUDIO = (".flac", ".ogg", ".mp3", ".m4a", ".aac", ".opus", ".wma")  # than WAV, which releases hold


def audio_files(root: Path, *suffixes: str) -> list[Path]:
    """All files under `root` with one of the suffixes (in any case), sorted by path.

    Hidden files and folders (`._03a01Fa.wav`, `.git`, `__MACOSX`) do not count. Links are followed, but every
    folder is walked once only.
    """
    wanted = tuple(suffix.lower() for suffix in suffixes)
    return sorted(path for path in _files(root, set()) if path.suffix.lower() in wanted)


def once(
    files: Iterable[Path], root: Path, key: Callable[[Path], str] = lambda file: file.stem
) -> tuple[list[Path], list[Remark]]:
    """The shallowest file of each key, and a remark on each folder that holds copies.

    A file of another size is no copy: it is kept, and the selection refuses both.
    """
    kept: dict[tuple[str, int], Path] = {}
    copies: Counter[Path] = Counter()
    for file in sorted(files, key=lambda file: (len(file.parts), file)):
        first = kept.setdefault((key(file), _size(file)), file)
        if first != file:
            copies[_apart(file, first, root)] += 1
    remarks = [
        Remark(
            kind="left out",
            subject=relative(doubled, root),
            fix="nothing; every file is read once",
            what=f"holds {count} files a second time" if doubled.is_dir() else "is there a second time",
        )
        for doubled, count in copies.items()
    ]
    return list(kept.values()), remarks


def relative(path: Path, root: Path) -> str:
    """The name of a file in a remark: relative to the root, with forward slashes, printable."""
    return printable(path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path))


def printable(name: str) -> str:
    r"""A name with line ends and bytes that are no text as escapes, as in `a\nb`."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name
    )


def plain(text: str) -> str:
    """Text in composed form (NFC) without outer blanks, so that labels and speakers can be compared."""
    return unicodedata.normalize("NFC", text).strip()


def text(
    path: Path, *, expected: str, fix: str = "copy it from the release again", otherwise: str = ""
) -> str:
    """A file of labels as text: UTF-8, with or without a byte order mark.

    Args:
        otherwise: an encoding that the release also uses.

    Raises:
        Fault: for a file that cannot be read or decoded.
    """
    try:
        data = path.read_bytes()
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            if otherwise:
                return data.decode(otherwise)
            raise
    except (OSError, UnicodeDecodeError) as error:
        raise Fault("corpus", f"{path} cannot be read", got=str(error), expected=expected, fix=fix) from error


def unlike(corpus: str, root: Path, *, got: str, expected: str) -> Fault:
    """The fault of a folder that does not hold the release, or holds it in another format."""
    others = audio_files(root, *OTHER_AUDIO) if root.is_dir() else []
    suffixes = sorted({file.suffix.lower() for file in others})
    fix = "set corpus.root=PATH/TO/THE/RELEASE"
    if others:
        got = f"{got}, and {len(others)} {'file' if len(others) == 1 else 'files'} {', '.join(suffixes)}"
        fix += "; or convert the recordings to WAV, or list them in a manifest"
    return Fault("corpus", f"{root} does not hold {corpus}", got=got, expected=expected, fix=fix)


def some(files: Sequence[Path], root: Path) -> str:
    """How many recordings there are, and the first ones, for the `got` of a fault."""
    return f"{len(files)} recordings {', '.join(relative(file, root) for file in files[:3])}".strip()


def which_label(corpus: str, wanted: Label, *offered: Label) -> Label:
    """The kind of label to read; the first offered one is the usual one.

    Raises:
        Fault: when the corpus does not have the wanted kind.
    """
    if wanted == "usual":
        return offered[0]
    if wanted not in offered:
        what = f"{corpus} has no {wanted} labels"
        expected = ", ".join(("usual", *offered))
        raise Fault(
            "corpus", what, got=f"corpus.label={wanted}", expected=expected, fix="set corpus.label=usual"
        )
    return wanted


def need_folder(corpus: str, root: Path, *inside: str) -> Path:
    """The first of some folders below `root` that exists; without any, `root` itself.

    Raises:
        Fault: when none exists.
    """
    found = first(root, inside or ("",), os.path.isdir)
    if found is None:
        raise unlike(
            corpus, root, got=listing(root), expected="a folder " + " or ".join(inside or (str(root),))
        )
    return found


def need_file(corpus: str, root: Path, *inside: str) -> Path:
    """The first of some files below `root` that exists.

    Raises:
        Fault: when none exists.
    """
    found = first(root, inside, os.path.isfile)
    if found is None:
        raise unlike(corpus, root, got=listing(root), expected="a file " + " or ".join(inside))
    return found


def first(root: Path, inside: Sequence[str], there: Callable[[Path], bool]) -> Path | None:
    """The first of some paths below `root` for which `there` (os.path.isfile, isdir or exists) holds."""
    return next((root / name for name in inside if there(root / name)), None)


def _files(folder: Path, walked: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        state = os.stat(folder)
        entries = list(os.scandir(folder))
    except OSError as error:
        raise Fault(
            "corpus",
            f"the folder {folder} cannot be read",
            got=error.strerror,
            expected="a folder that may be listed",
            fix="allow it with chmod, or take the folder out of the corpus",
        ) from error
    if (state.st_dev, state.st_ino) in walked:
        return
    walked.add((state.st_dev, state.st_ino))
    # real folders before links to them
    for entry in sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name)):
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if os.path.isdir(entry.path):
            yield from _files(Path(entry.path), walked)
        else:
            yield Path(entry.path)


def _size(file: Path) -> int:
    try:
        return os.stat(file).st_size
    except OSError:
        return -1  # the inspection will say why


def _apart(copy: Path, first: Path, root: Path) -> Path:
    """The highest folder that contains the copy but not the first file; else the copy itself."""
    below = [folder for folder in copy.parents if folder.is_relative_to(root)]
    return next((folder for folder in reversed(below) if not first.is_relative_to(folder)), copy)


def listing(root: Path) -> str:
    """A few names of what lies in a folder, for the `got` of a fault."""
    if not root.is_dir():
        return f"no folder {root}"
    names = sorted(printable(entry.name) for entry in root.iterdir() if not entry.name.startswith("."))
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more if names else "an empty folder"
