"""The protocol card of a study: the conditions under which its numbers came about. It goes with every table.

In: a study's configuration and its trials. Out: label -> text, in reading order. Studies may share a table if
their cards agree in PROTOCOL, the lines that change what a score means. A mark says where code, versions or
machines differ.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from raysernas.config.arms import ARMS
from raysernas.config.fault import Fault
from raysernas.config.identity import reads
from raysernas.config.schema import Config

Card = dict[str, str]
UNKNOWN, USUAL = "not recorded", "usual for the corpus"
PROTOCOL = ("corpus", "classes", "merges", "folds", "validation speakers", "normalisation", "settings chosen")
PROTOCOL += ("seeds", "search", "retrain")
NORMALISATION = {  # features.normalisation -> in words
    "train": "mean and deviation of the training speakers of each fold: inductive",
    "utterance": "mean and deviation of each utterance: inductive",
    "speaker": "mean and deviation of each speaker, test speakers included: transductive",
    "none": "none",
}
MIXED = "mixed protocols"


def card(config: Config, trials: pd.DataFrame) -> Card:
    """The card of one study.

    Args:
        trials: as `study.read` gives them; only the planned ones are used.
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


def marks_line(marks: Mapping[str, str]) -> str:
    """The marks and their meanings as the text of one line of a card."""
    return "; ".join(f"{mark}: {meaning}" for mark, meaning in marks.items())


def together(cards: Mapping[str, Card], mixed: bool) -> dict[str, str]:
    """Mark -> sentence for the tables of several studies; empty if they may share a table.

    Raises:
        Fault: for studies of unlike protocols, unless `mixed` permits them.
    """
    unlike = {}
    for label in PROTOCOL:
        texts = dict.fromkeys(each[label] for each in cards.values())
        known = [text for text in texts if text not in ("", UNKNOWN, USUAL)]
        if len(known) > 1:
            unlike[label] = known
    if not unlike:
        return {}
    if not mixed:
        raise Fault(
            "analysis",
            f"studies of unlike protocols cannot share a table: {', '.join(cards)}",
            got="; ".join(f"{label}: {' | '.join(texts)}" for label, texts in unlike.items()),
            expected="one corpus, one set of classes, folds and seeds, one budget",
            fix="look at each of them alone, or pass mixed=True (--mixed), which marks every table",
        )
    return {MIXED: f"the studies differ in {', '.join(unlike)}, so their scores cannot be compared"}


def _corpus(config: Config) -> str:
    corpus = config.corpus
    chosen = f", {', '.join(corpus.scenarios)} only" if corpus.scenarios else ""
    label = "" if corpus.label == "usual" else f", {corpus.label} emotions"
    return f"{corpus.name}, content {corpus.fingerprint or UNKNOWN}{label}{chosen}"


def _counts(done: pd.DataFrame) -> str:
    """Utterances of a fold and of its parts, test speakers, and what was skipped."""
    if done.empty:
        return UNKNOWN
    train, valid, test = done["n_weights"] + done["n_alphas"], done["n_valid"], done["n_test"]
    sizes = f"training {_range(train)}, validation {_range(valid)}, test {_range(test)}"
    speakers = {one for text in done["test_speakers"].unique() for one in _json_list(text)}
    tested = f"; {len(speakers)} test speakers" if speakers else ""
    skipped = int(done["n_skipped"].max()) if done["n_skipped"].notna().any() else 0
    left = f"; {skipped} files or rows skipped" if skipped else ""
    return f"{_range(train + valid + test)} utterances in a fold: {sizes}{tested}{left}"


def _range(numbers: pd.Series) -> str:
    if numbers.isna().any():
        return UNKNOWN
    low, high = int(numbers.min()), int(numbers.max())
    return str(low) if low == high else f"{low} to {high}"


def _classes(config: Config, done: pd.DataFrame) -> str:
    found = [_json_list(text) for text in done["emotions"].unique() if text]
    named = found[0] if len(found) == 1 else [*config.corpus.emotions]
    if named:
        return f"{len(named)}: {', '.join(named)}"
    return "not the same in all trials" if found else USUAL


def _folds(config: Config) -> str:
    corpus = config.corpus
    groups = f" of {corpus.groups} groups" if corpus.folds in ("speaker_groups", "random") else ""
    shared = corpus.speaker_dependent or corpus.folds == "random"
    dependent = "; speakers may be in two parts" if shared else "; speaker-independent"
    numbers = f"folds {_list(config.study.folds)}" if config.study.folds else "all folds"
    lists = f", lists {corpus.folds_hash}" if corpus.folds_hash else ""
    return f"{corpus.folds}{groups}, {numbers}{lists}{dependent}"


def _inner(config: Config) -> str:
    corpus = config.corpus
    share = f" ({corpus.valid_fraction:g})" if corpus.valid in ("speakers", "utterances") else ""
    return f"{corpus.valid}{share}; weights and alphas halves by {corpus.halves}"


def _normalisation(config: Config) -> str:
    tried = config.study.space.get("features.normalisation", {}).get("choices", ())
    others = [NORMALISATION[each] for each in tried if each != config.features.normalisation]
    return "; or, by candidate, ".join([NORMALISATION[config.features.normalisation], *others])


def _choosing(config: Config) -> str:
    study = config.study
    if study.candidates == 1:
        return "as written: one candidate"
    raced = f", racing at p = {study.racing.p:g}" if study.racing.enabled else ""
    each = "each arm and outer fold" if study.protocol == "nested" else "each arm"
    space = f"{study.sampler} over {', '.join(study.space)}"
    return f"{study.candidates} candidates for {each} ({study.protocol}), by {space}{raced}"


def _search(config: Config) -> str:
    """Empty if no arm searches; then it agrees with every budget."""
    search, parts = config.search, []
    if any(ARMS[arm].searches for arm in config.study.arms):
        warm = f", {search.warmup_epochs} of them for weights only" if search.warmup_epochs else ""
        parts.append(f"{search.epochs} epochs{warm}, order {search.order}, batch {search.batch}")
    if "random_search" in config.study.arms:
        parts.append(f"random search: {config.checks.draws} draws of {config.checks.draw_epochs} epochs")
    return "; ".join(parts)


def _retrain(config: Config) -> str:
    if not any(reads(arm, "retrain.epochs") for arm in config.study.arms):
        return ""
    retrain = config.retrain
    anew = ", then trained anew on all but the test speakers" if retrain.on == "all_but_test" else ""
    return f"{retrain.epochs} epochs, batch {retrain.batch}; the epoch is chosen by validation UA{anew}"


def _versions(texts: pd.Series) -> str:
    found = [_json_dict(text) for text in texts.unique() if text]
    if not found:
        return UNKNOWN
    names = list(dict.fromkeys(name for each in found for name, version in each.items() if version))
    return ", ".join(f"{name} {_several(each.get(name, '') for each in found)}" for name in names)


def _hardware(config: Config, done: pd.DataFrame) -> str:
    compute = config.compute
    recorded = "compute.device" in done
    devices = [*map(str, done["compute.device"].dropna().unique())] if recorded else [compute.device]
    gpu = ", GPU model not recorded" if "cuda" in devices else ""
    threads = "1 thread" if compute.threads == 1 else f"{compute.threads} threads"
    count = len({host for host in done["host"] if host})
    hosts = {0: "", 1: "; 1 host"}.get(count, f"; {count} hosts")
    return f"{_several(done['cpu'])}; {', '.join(devices)}{gpu}, {threads}, {compute.precision}{hosts}"


def _several(texts: Iterable[str]) -> str:
    """The text that all have, or all texts that occur."""
    found = list(dict.fromkeys(str(text) for text in texts if text))
    if len(found) > 1:
        return f"not the same in all trials: {' | '.join(found)}"
    return found[0] if found else UNKNOWN


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
