"""Under what conditions the numbers of a study came about: a card that stands with every table of them.

Comes in: a study's configuration and its trials. Goes out: label -> text, in reading order. Two studies may
stand in one table when their cards agree in PROTOCOL, the lines that change what a score means; where code,
versions or machines differ, a mark says so.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from raysernas.config.arms import ARMS
from raysernas.config.fault import Fault
from raysernas.config.identity import reads
from raysernas.config.schema import Config

Card = dict[str, str]
UNKNOWN, USUAL = "not recorded", "the usual ones of the corpus"
PROTOCOL = (
    "corpus",
    "classes",
    "merges",
    "folds",
    "validation speakers",
    "normalisation",
    "settings chosen",
    "seeds",
    "search",
    "retrain",
)
WHOSE = {  # features.normalisation -> whose moments
    "train": "moments of the training speakers of each fold: inductive",
    "utterance": "moments of each utterance: inductive",
    "speaker": "moments of all utterances of each speaker, tested ones too: transductive",
    "none": "none",
}
MIXED = "mixed protocols"


def card(config: Config, trials: pd.DataFrame) -> Card:
    """The card of one study.

    Args:
        trials: as `study.read` gives them; only the planned ones count.
    """
    planned = trials[trials["planned"]]
    done = planned[planned["status"] == "finished"]
    return {
        "study": config.study.name,
        "corpus": _corpus(config),
        "counts": _counts(done),
        "classes": _classes(config, done),
        "merges": ", ".join(f"{old} counts as {new}" for old, new in config.corpus.merge.items())
        or "as usual for the corpus",
        "folds": _folds(config),
        "validation speakers": _inner(config),
        "normalisation": _normalisation(config),
        "settings chosen": _choosing(config),
        "seeds": f"{_list(config.study.seeds)}; retrain {_list(config.retrain.seeds)}",
        "search": _search(config),
        "retrain": _retrain(config),
        "code": _several(done["commit"]),
        "versions": _versions(done["versions"]),
        "hardware": _hardware(config, done),
    }


def marks_told(marks: Mapping[str, str]) -> str:
    """Mark -> meaning, as a line of a card."""
    return "; ".join(f"{mark}: {meaning}" for mark, meaning in marks.items())


def together(cards: Mapping[str, Card], mixed: bool) -> dict[str, str]:
    """Mark -> sentence for the tables of several studies; nothing when they may stand in one.

    Raises:
        Fault: for studies of unlike protocols, unless they are to be `mixed`.
    """
    told = {
        label: list(
            dict.fromkeys(each[label] for each in cards.values() if each[label] not in ("", UNKNOWN, USUAL))
        )
        for label in PROTOCOL
    }
    unlike = {label: texts for label, texts in told.items() if len(texts) > 1}
    if not unlike:
        return {}
    if not mixed:
        raise Fault(
            "analysis",
            f"studies of unlike protocols do not belong in one table: {', '.join(cards)}",
            got="; ".join(f"{label}: {' | '.join(texts)}" for label, texts in unlike.items()),
            expected="one corpus, one set of classes, folds and seeds, one budget",
            fix="look at each of them alone, or ask for mixed=True (--mixed), which marks every table",
        )
    return {MIXED: f"the studies differ in {', '.join(unlike)}: their scores are not of one experiment"}


def _corpus(config: Config) -> str:
    corpus = config.corpus
    chosen = f", {', '.join(corpus.scenarios)} only" if corpus.scenarios else ""
    label = "" if corpus.label == "usual" else f", {corpus.label} emotions"
    return f"{corpus.name}, content {corpus.fingerprint or UNKNOWN}{label}{chosen}"


def _counts(done: pd.DataFrame) -> str:
    """Utterances of a whole fold, of its parts, and tested speakers."""
    if done.empty:
        return UNKNOWN
    parts = {
        name: done[f"n_{part}"]
        for name, part in {"training": "train", "validation": "valid", "test": "test"}.items()
    }
    sizes = [f"{name} {_range(sizes)}" for name, sizes in parts.items()]
    speakers = {one for text in done["test_speakers"].unique() for one in _json_list(text)}
    tested = f"; {len(speakers)} speakers tested" if speakers else ""
    skipped = int(done["n_skipped"].max()) if done["n_skipped"].notna().any() else 0
    left = f"; {skipped} files or rows left out" if skipped else ""
    return (
        f"{_range(parts['training'] + parts['validation'] + parts['test'])} utterances in a fold: "
        f"{', '.join(sizes)}{tested}{left}"
    )


def _range(numbers: pd.Series) -> str:
    if numbers.isna().any():
        return UNKNOWN
    low, high = int(numbers.min()), int(numbers.max())
    return str(low) if low == high else f"{low} to {high}"


def _classes(config: Config, done: pd.DataFrame) -> str:
    found = [_json_list(text) for text in done["emotions"].unique() if text]
    named = found[0] if len(found) == 1 else [*config.corpus.emotions]
    return (
        f"{len(named)}: {', '.join(named)}"
        if named
        else (USUAL if not found else "not the same in all trials")
    )


def _folds(config: Config) -> str:
    corpus = config.corpus
    groups = f" of {corpus.groups} groups" if corpus.folds in ("speaker_groups", "random") else ""
    dependent = (
        "; speakers may be on two sides"
        if corpus.speaker_dependent or corpus.folds == "random"
        else "; speaker-independent"
    )
    numbers = f"folds {_list(config.study.folds)}" if config.study.folds else "all folds"
    lists = f", lists {corpus.folds_hash}" if corpus.folds_hash else ""
    return f"{corpus.folds}{groups}, {numbers}{lists}{dependent}"


def _inner(config: Config) -> str:
    corpus = config.corpus
    share = f" ({corpus.valid_fraction:g})" if corpus.valid in ("speakers", "utterances") else ""
    return f"{corpus.valid}{share}; weights and alphas halves by {corpus.halves}"


def _normalisation(config: Config) -> str:
    tried = config.study.space.get("features.normalisation", {}).get("choices", ())
    others = [WHOSE[each] for each in tried if each != config.features.normalisation]
    return "; or, by candidate, ".join([WHOSE[config.features.normalisation], *others])


def _choosing(config: Config) -> str:
    study = config.study
    if study.candidates == 1:
        return "as written: one candidate"
    raced = f", racing at p = {study.racing.p:g}" if study.racing.on else ""
    whose = "each arm and outer fold" if study.protocol == "nested" else "each arm"
    return (
        f"{study.candidates} candidates for {whose} ({study.protocol}), by {study.sampler} over "
        f"{', '.join(study.space)}{raced}"
    )


def _search(config: Config) -> str:
    """Empty where no arm searches: it fits every budget."""
    search, told = config.search, []
    if any(ARMS[arm].searches for arm in config.study.arms):
        warm = f", {search.warmup_epochs} of them for weights only" if search.warmup_epochs else ""
        told.append(f"{search.epochs} epochs{warm}, order {search.order}, batch {search.batch}")
    if "random_search" in config.study.arms:
        told.append(f"random search: {config.checks.draws} draws of {config.checks.draw_epochs} epochs")
    return "; ".join(told)


def _retrain(config: Config) -> str:
    if not any(reads(arm, "retrain.epochs") for arm in config.study.arms):
        return ""
    return (
        f"{config.retrain.epochs} epochs, batch {config.retrain.batch}; the epoch is chosen on the "
        "validation speakers"
    )


def _versions(texts: pd.Series) -> str:
    found = [_json_dict(text) for text in texts.unique() if text]
    if not found:
        return UNKNOWN
    names = list(dict.fromkeys(name for each in found for name in each))
    return ", ".join(
        f"{name} {_several(pd.Series([each.get(name, '') for each in found]))}"
        for name in names
        if any(e.get(name) for e in found)
    )


def _hardware(config: Config, done: pd.DataFrame) -> str:
    compute = config.compute
    devices = (
        [str(each) for each in done["compute.device"].dropna().unique()]
        if "compute.device" in done
        else [compute.device]
    )
    gpu = ", GPU model not recorded" if "cuda" in devices else ""
    threads = "1 thread" if compute.threads == 1 else f"{compute.threads} threads"
    count = len({host for host in done["host"] if host})
    hosts = {0: "", 1: "; 1 host"}.get(count, f"; {count} hosts")
    return f"{_several(done['cpu'])}; {', '.join(devices)}{gpu}, {threads}, {compute.precision}{hosts}"


def _several(texts: Iterable[str]) -> str:
    """One text, or all that occur."""
    found = list(dict.fromkeys(str(text) for text in texts if text))
    return (
        UNKNOWN
        if not found
        else found[0]
        if len(found) == 1
        else f"not the same in all trials: {' | '.join(found)}"
    )


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def _json_list(text: str) -> list[str]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    return [str(one) for one in found] if isinstance(found, list) else []


def _json_dict(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {str(name): str(version) for name, version in found.items()} if isinstance(found, dict) else {}
