"""What readers share whose labels stand in the names of the files: acted speech, one label a file."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from raysernas.corpora import tree
from raysernas.corpora.corpus import Expected, Label, PublishedAudio, Release, Remark, Utterance

CORRECT_NAME = "correct the name, or take the file out of the folder"


def read(
    corpus: str,
    root: Path,
    label: Label,
    understood: Callable[[Path], Utterance | None],
    *,
    shape: str,
    emotions: Iterable[str],
    notes: tuple[str, ...],
    expected: tuple[Expected, ...],
    audio: PublishedAudio | None = None,
    files: Sequence[Path] | None = None,
    other: Callable[[Path], bool] = lambda file: False,
    key: Callable[[Path], str] | None = None,
    fix: str = CORRECT_NAME,
) -> Release:
    """The release, with a remark on each file whose name is not understood.

    Args:
        understood: gives the utterance of a file, None for a name of another shape.
        shape: what a name looks like, for people.
        audio: rate, hours and durations of the release, where they were published.
        files: that could be recordings; all *.wav below `root` if not given.
        other: whether a file is something else, which needs no remark.
        key: of a file. Given where copies of the release hold files twice: the second ones are left out.
        fix: what helps with a name that is not understood.

    Raises:
        Fault: for perceived labels, a folder that is not there, and one without any name of that shape.
    """
    tree.which_label(corpus, label, "intended")
    tree.need_folder(corpus, root)
    files = tree.audio_files(root, ".wav") if files is None else files
    found = {file: understood(file) for file in files}
    named = [file for file, utterance in found.items() if utterance]
    if not named:
        raise tree.unlike(corpus, root, got=tree.some(files, root), expected=shape)
    kept, copies = tree.once(named, root, key) if key else (named, [])
    what = f"is not a name of {corpus}: {shape}"
    unnamed = [file for file in files if not found[file] and not other(file)]
    return Release(
        name=corpus,
        utterances=tuple(utterance for file in kept if (utterance := found[file])),
        emotions=tuple(sorted(emotions)),
        remarks=(*(Remark("bad", tree.relative(file, root), what, fix) for file in unnamed), *copies),
        notes=notes,
        expected=expected,
        audio=audio,
    )
