"""A first study of a corpus: its settings from what the check found, and the command that runs it.

In: a `CorpusReport`. Out: one line for a shell, and a commented YAML file. All folds of the usual scheme, a
window as long as the mean utterance, the full training of configs/emodb.yaml. No speaker is on two sides:
where only such folds are possible there is no first study.
"""

import json
import os
import re
import shlex
from itertools import product
from math import ceil
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.config.files import load, shipped
from raysernas.config.identity import flatten
from raysernas.config.schema import Config
from raysernas.corpora.check import speaker_levels
from raysernas.corpora.check.report import CorpusReport, Scheme
from raysernas.corpora.corpus import UNKNOWN_SPEAKER

TRAINING = "emodb"  # the shipped study whose search and training suit a corpus of acted speech
TRAINED = ("search", "checks", "retrain")  # its sections that are taken over
ARMS = ("cnn_lstm_attention", "random", "darts")
GENERAL = ("all", "audio", "data", "index", "labels", "manifest", "meta", "metadata", "table", "wav", "wavs")
WINDOW_S = (1.0, 8.0)
WINDOW_STEP_S = 0.5
MOST_VERSIONS_H = 20.0  # varied versions of more sound than this do not fit into the memory of one machine
# corpora with levels far apart: which is best is the corpus's matter, so that validation speakers choose
LEVELS: dict[str, list[str]] = {
    "features.level": ["as_is", "utterance"],
    "features.normalisation": ["train", "utterance"],
}
VERSIONS = ("retrain.speeds", "retrain.versions")
LEAKS = (
    "every possible scheme of folds has the same speakers in training and test: add speakers. "
    "corpus.speaker_dependent=true allows such folds, and marks every table"
)


def command(report: CorpusReport) -> str:
    """The shell command of a first study on this corpus; "" if none is possible."""
    scheme = fitting(report)
    if scheme is None:
        return ""
    if not _shipped(report.corpus):
        words = [report.corpus, report.root, *_options(report)]
        written = f"{name(report)}.yaml"
        shown = f"python -P -m raysernas.corpora study {' '.join(map(shlex.quote, words))} > {written}"
        return f"{shown} && python -P -m raysernas.launch {written}"
    own = load(report.corpus).corpus.folds
    as_shipped = own == scheme.name or (own == "usual" and scheme.usual)
    settings = [_assigned("corpus.root", report.root), *[f"corpus.folds={scheme.name}"] * (not as_shipped)]
    found = _candidates(report) | _found(report)
    settings += [f"{key}={_value(value)}" for key, (value, _) in found.items()]
    return " ".join(["python -P -m raysernas.launch", report.corpus, *map(shlex.quote, settings)])


def fitting(report: CorpusReport) -> Scheme | None:
    """The folds of a first study: those of a shipped study, else the usual ones, else the first possible ones
    that keep speakers apart; None if there are none.
    """
    wanted = load(report.corpus).corpus.folds if _shipped(report.corpus) else "usual"
    apart = [scheme for scheme in report.schemes if scheme.folds and not scheme.speaker_dependent]
    if report.hindrance or not apart:
        return None
    return min(apart, key=lambda scheme: (scheme.name != wanted, not scheme.usual))


def as_yaml(report: CorpusReport) -> str:
    """The study as a commented YAML file.

    Raises:
        Fault: when no study with speakers apart is possible.
    """
    scheme = fitting(report)
    if scheme is None:
        what = "no first study is possible"
        expected = "folds that keep speakers apart"
        reason = report.hindrance or "; ".join(
            f"{each.name}: {each.why_not or LEAKS}" for each in report.schemes
        )
        fix = f"python -m raysernas.corpora check {report.corpus} ROOT says what to do"
        raise Fault("corpora", what, got=reason, expected=expected, fix=fix)
    speakers = len([each for each in report.speakers if each.speaker != UNKNOWN_SPEAKER])
    classes = len({each.counts_as for each in report.emotions} - {""})
    checked = shlex.join(["check", report.corpus, report.root])
    lines = [
        f"# A first study of {report.corpus}: {report.usable} utterances ({report.durations.hours:.2f} h) of "
        f"{speakers} speakers in {classes} classes.",
        "# COMMAND   python -m raysernas.launch THIS_FILE (with --dry-run: how long it will take)",
        f"# CHECK     python -m raysernas.corpora {json.dumps(checked)[1:-1]}",
    ]
    section = ""
    for key, (value, comment) in _settings(report, scheme).items():
        head, _, tail = key.partition(".")
        if head != section:
            lines.append(f"{head}:" + f"  # as in configs/{TRAINING}.yaml" * (head in TRAINED))
            section = head
        lines.append(f"  {tail}: {_value(value)}" + (f"  # {comment}" if comment else ""))
    return "\n".join(lines) + "\n"


def name(report: CorpusReport) -> str:
    """The name of the study: of the corpus; for a manifest of its folder, and of a table with a name of its
    own.
    """
    root = Path(report.root if "://" in report.root else os.path.abspath(report.root))
    table = root.stem if root.suffix else ""
    folders = [part.name for part in ((root.parent if table else root), *root.parents)]
    parts = [next((each for each in folders if each.lower() not in (*GENERAL, "")), ""), table]
    own = [part for part in parts if part.lower() not in (*GENERAL, "")]
    chosen = "_".join(own) if report.corpus == "manifest" else report.corpus
    return re.sub(r"[^\w.-]+", "_", chosen).lstrip(".-") or "study"


def _settings(report: CorpusReport, scheme: Scheme) -> dict[str, tuple[object, str]]:
    """Key -> value and comment, section by section."""
    mean_s, count = report.durations.mean_s, len(scheme.folds)
    window_s = min(max(WINDOW_STEP_S * ceil(mean_s / WINDOW_STEP_S), WINDOW_S[0]), WINDOW_S[1])
    plain = load(report.corpus).corpus if _shipped(report.corpus) else Config().corpus
    told = "fewer folds lack an emotion"
    found: dict[str, tuple[object, str]] = {
        "study.name": (name(report), "folder of its results"),
        "study.arms": (list(ARMS), "designed by hand, drawn, found by the search"),
        "study.seeds": ([0, 1], "each fold is run with both"),
        **_candidates(report),
        "corpus.name": (report.corpus, ""),
        "corpus.root": (report.root, ""),
        "corpus.folds": (scheme.name, f"{count} fold{'s' * (count > 1)}, no speaker on two sides"),
        **({"corpus.balance": (scheme.balance, told)} if scheme.balance != plain.balance else {}),
        **({"corpus.groups": (plain.groups, "of speakers")} if scheme.name == "speaker_groups" else {}),
        **_found(report),
        "features.window_s": (window_s, f"the mean utterance lasts {mean_s:.1f} s"),
    }
    return found | _training(report.durations.hours)


def _candidates(report: CorpusReport) -> dict[str, tuple[object, str]]:
    """All pairs of LEVELS, if levels are far apart; the first pair is the plain configuration."""
    if not speaker_levels.wide(report.levels_db):
        return {}
    pairs = [dict(zip(LEVELS, values, strict=True)) for values in product(*LEVELS.values())]
    names = ["_".join(f"{key.removeprefix('features.')}_{pair[key]}" for key in LEVELS) for pair in pairs]
    points = dict(list(zip(names, pairs, strict=True))[1:])
    return {
        "study.candidates": (len(pairs), "validation speakers choose"),
        "study.space": ({key: {"choices": choices} for key, choices in LEVELS.items()}, ""),
        "study.points": (points, "each pair once"),
    }


def _found(report: CorpusReport) -> dict[str, tuple[object, str]]:
    """Settings of the corpus that the check was asked with, or that its findings need."""
    found: dict[str, tuple[object, str]] = {}
    if report.label != "usual":
        found["corpus.label"] = (report.label, "")
    if report.channel != "mean":
        found["corpus.channel"] = (report.channel, "")
    if bad := sum(remark.kind == "bad" for remark in report.remarks):
        found["corpus.on_bad_file"] = ("skip", f"{bad} files or rows cannot be used; the check names them")
    return found


def _training(hours: float) -> dict[str, tuple[object, str]]:
    """What the search and the training of a shipped study set."""
    own, plain = flatten(load(TRAINING)), flatten(Config())
    return {
        key: (list(value) if isinstance(value, tuple) else value, "")
        for key, value in own.items()
        if key.startswith(TRAINED)
        and value != plain[key]
        and (hours < MOST_VERSIONS_H or key not in VERSIONS)
    }


def _shipped(corpus: str) -> bool:
    return (shipped() / f"{corpus}.yaml").is_file()


def _options(report: CorpusReport) -> list[str]:
    given = {"label": (report.label, "usual"), "channel": (report.channel, "mean")}
    return [word for key, (value, usual) in given.items() if value != usual for word in (f"--{key}", value)]


def _value(value: object) -> str:
    """As YAML writes it; JSON is YAML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_value(each)}' for key, each in value.items())}}}"
    plain = isinstance(value, str) and re.fullmatch(r"[a-z]\w{3,}", value) and value != "false"
    return str(value) if plain and value not in ("true", "null") else json.dumps(value)


def _assigned(key: str, value: str) -> str:
    """An override that YAML reads as this text."""
    plain = f"{key}={value}"
    try:
        return plain if load(None, [plain]).corpus.root == value else f"{key}={json.dumps(value)}"
    except Fault:
        return f"{key}={json.dumps(value)}"
