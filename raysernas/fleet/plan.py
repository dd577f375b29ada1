"""The plan: what a study will run, on what, before anything is started or written.

In: the configuration as the user gave it. Out: the same, resolved (device, content of the corpus, list of
folds), with every fold checked and the study's folder compared with it. Knows no Ray; torch only says which
GPUs there are.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from raysernas.config.fault import Fault
from raysernas.config.files import Torn
from raysernas.config.identity import differences, reads
from raysernas.config.rules import check_together
from raysernas.config.schema import Config, FeaturesConfig, StudyConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import UNKNOWN_SPEAKER, Corpus
from raysernas.corpora.folds import coverage, fold_file, splits, texts
from raysernas.corpora.folds.fold_file import Fold
from raysernas.features.functionals import members
from raysernas.fleet import joining
from raysernas.record import ledger, storage
from raysernas.record.files import StudyFiles, cache_folder, study_config, study_files, write_study_config
from raysernas.record.limits import cores
from raysernas.record.protocol import marks
from raysernas.record.storage import StorageFault

# settings that no user sets
CONTENT = ("corpus.fingerprint", "corpus.folds_hash", "features.fingerprint", "features.layer_width")
NAMED = 3  # of the files that are left out; the ledger has all
SCHEMES = {
    "speaker": "leave one speaker out",
    "speaker_groups": "leave a group of speakers out",
    "speaker_text": "leave one speaker and one group of texts out",
    "session": "leave one session out",
    "official": "the official parts of the corpus",
    "emobox": "the folds of EmoBox",
    "luna_jimenez": "the folds of Luna-Jiménez et al.",
    "published": "the folds of the code of arXiv 2305.14402",
    "random": "random folds, speakers ignored",
    "file": "the folds of corpus.fold_file",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyPlan:
    """A resolved study."""

    config: Config
    corpus: Corpus
    folds: dict[int, str]  # index -> who is held out
    slots: int  # trials at once; 0 = as many as the cluster has room for, if none is set
    cpus_per_trial: int
    gpus_per_trial: float
    device: str  # for people
    finished: dict[str, int]  # trials of each arm that already have such a record
    failed: dict[str, int]
    raced: dict[str, int]
    unknown: int  # utterances of a fold whose speaker is unknown
    unused: int  # utterances in no part of a fold; of the fold with the most, like `unknown`
    known_texts: int = 0  # tested utterances whose sentence is spoken in training; of the fold with the most
    lacking: tuple[str, ...] = ()  # about emotions that test or validation parts lack
    remarks: tuple[str, ...] = ()  # about records that cannot be read, or are older

    @property
    def files(self) -> StudyFiles:
        """The study's folder."""
        return study_files(self.config)

    def candidates(self, arm: str) -> int:
        """How many candidates of an arm (nested: of an arm and fold) can differ: one if it reads no key of
        the space.
        """
        study = self.config.study
        return study.candidates if any(reads(arm, key) for key in study.space) else 1

    def trials(self, arm: str) -> int:
        """Trials of an arm, finished ones included; fewer if two proposals turn out equal."""
        return self.candidates(arm) * len(self.folds) * len(self.config.study.seeds)

    def left(self, arm: str) -> int:
        """How many trials of an arm the next launch runs, at most."""
        kept = 0 if self.config.study.retry_failed else self.failed.get(arm, 0)
        return self.trials(arm) - self.finished.get(arm, 0) - self.raced.get(arm, 0) - kept


def resolve(
    config: Config, *, dry: bool = False, report: Callable[[int, int], object] = lambda done, of: None
) -> StudyPlan:
    """Look at the corpus, the machine and the study's folder; write `study.yaml` and `folds.csv` unless
    `dry`.

    Args:
        report: called with the number of inspected audio files, and of all.

    Raises:
        Fault: for a corpus, a fold, a device or a folder that does not fit the configuration.
    """
    if address := config.study.resources.address:
        joining.checked(address)
    # absolute: trials run in other folders
    places = {name: _absolute(getattr(config.corpus, name)) for name in ("root", "fold_file")}
    config = replace(config, corpus=replace(config.corpus, **places))
    members.check(config)
    corpus = catalogue.read(config.corpus, None if dry else cache_folder(config), report)
    gpus, gpu = _gpus()
    names = splits.names(corpus, config.corpus)
    config = replace(
        config,
        corpus=splits.resolved(catalogue.resolved(config.corpus, corpus), corpus),
        features=_features(config),
        compute=replace(config.compute, device=_device(config, gpus)),
        study=replace(config.study, folds=_folds(config, names)),
    )
    check_together(config)  # now that all folds are known
    found = splits.of(corpus, config.corpus)
    for fold in config.study.folds:
        for seed in config.study.seeds:
            splits.halved(corpus, config.corpus, found[fold], fold, seed)
    files = study_files(config)
    before = _compared(config, files)
    if not dry:
        if before is None or _elsewhere(before, config) != config:
            write_study_config(files, config)
        _write(files.folds, fold_file.text(corpus, found))
    numbered = {fold: found[fold] for fold in config.study.folds}
    lacking = {"lacking": tuple(coverage.sentences(corpus, numbered))}
    more = _slots(config, gpus, gpu) | _unknown_and_unused(corpus, list(numbered.values())) | lacking
    return _plan(config, corpus, names, more)


def _features(config: Config) -> FeaturesConfig:
    from raysernas.features import extraction  # takes seconds to load

    return extraction.resolved(config.features, cache_folder(config))


def header(plan: StudyPlan) -> dict[str, str]:
    """What the user should know before the study runs, by label."""
    study, corpus = plan.config.study, plan.corpus
    counts = ", ".join(f"{emotion} {count}" for emotion, count in corpus.counts().items())
    arms = ", ".join(f"{arm} ({plan.candidates(arm)})" for arm in study.arms)
    total = sum(plan.trials(arm) for arm in study.arms)
    ended = {
        word: sum(count.values()) for word, count in (("failed", plan.failed), ("raced out", plan.raced))
    }
    other = "".join(f", {count} {word}" for word, count in ended.items() if count)
    each = "of each on each fold" if study.protocol == "nested" else "of each"
    at_once = f"{plan.slots} at once" if plan.slots else "as many at once as the cluster takes"
    return {
        "study": f"{study.name} in {plan.files.root}",
        "corpus": f"{corpus.name}: {len(corpus.utterances)} utterances of {len(corpus.speakers)} speakers "
        f"({counts})",
        "protocol": _protocol(plan),
        **marks(
            plan.config,
            unknown=plan.unknown,
            unlike=len(corpus.unlike),
            confounded=len(corpus.confounded),
            known_texts=plan.known_texts,
        ),
        **({"left out": _left_out(corpus)} if corpus.skipped else {}),
        **({"unused": f"{plan.unused} utterances are in no part of a fold"} if plan.unused else {}),
        **({"lacking": "\n".join(plan.lacking)} if plan.lacking else {}),
        "folds": ", ".join(f"{index}: {name}" for index, name in plan.folds.items()),
        "arms": f"{arms} - in brackets the candidates {each}",
        "space": ", ".join(study.space) or "none: every arm runs as written",
        **({"proposals": _proposals(study)} if study.candidates > 1 else {}),
        "trials": f"{total} planned, {sum(plan.finished.values())} finished{other}",
        "runs on": f"{plan.device}, {at_once}",
        **({"records": "\n".join(plan.remarks)} if plan.remarks else {}),
    }


def cpus(config: Config) -> int:
    """CPUs that a study may use here."""
    return config.study.resources.cpus or cores()


def _protocol(plan: StudyPlan) -> str:
    corpus, study = plan.config.corpus, plan.config.study
    seeds = f"{len(study.seeds)} seed{'s' if len(study.seeds) > 1 else ''}"
    count = f"{len(plan.folds)} fold{'s' if len(plan.folds) > 1 else ''}"
    parts = f"{SCHEMES[corpus.folds]}, {count}, {seeds}; validation: {splits.rule(plan.corpus, corpus)}"
    known = "known speaker" if plan.unknown else "speaker"
    return parts if corpus.speaker_dependent else f"{parts}; no {known} is on two sides"


def _proposals(study: StudyConfig) -> str:
    """How candidates are proposed and given up."""
    given = ["as written", *(f"point {name}" for name in study.points), study.sampler]
    parts = [f"{', '.join(given)}; by {' against '.join(study.objectives)}"]
    if study.generation:
        parts.append(f"{study.generation} at a time")
    if study.racing.enabled:
        fewest, p = study.racing.pairs, study.racing.p
        rule = f"given up if worse than the best on {fewest} or more common folds"
        parts.append(f"{rule} (p {p:g}, looks: {study.racing.looks})")
    return "; ".join(parts)


def _left_out(corpus: Corpus) -> str:
    first = "; ".join(f"{remark.subject} {remark.what}" for remark in corpus.skipped[:NAMED])
    more = f"; and {len(corpus.skipped) - NAMED} more" if len(corpus.skipped) > NAMED else ""
    files = "1 file or row" if len(corpus.skipped) == 1 else f"{len(corpus.skipped)} files or rows"
    return f"{files} that cannot be used: {first}{more}"


def _unknown_and_unused(corpus: Corpus, found: Sequence[Fold]) -> dict[str, int]:
    """Utterances of a fold whose speaker is unknown, utterances in no part of it, and tested ones whose
    sentence is spoken in training; of the fold with the most.
    """
    parts = [(*fold.train, *fold.valid, *fold.test) for fold in found]
    unknown = [sum(corpus.utterances[index].speaker == UNKNOWN_SPEAKER for index in part) for part in parts]
    known_texts = max(texts.shared(corpus, fold.train, fold.test) for fold in found)
    unused = len(corpus.utterances) - min(map(len, parts))
    return {"unknown": max(unknown), "unused": unused, "known_texts": known_texts}


def _absolute(path: str) -> str:
    return str(storage.place(path)) if path else ""


def _folds(config: Config, names: tuple[str, ...]) -> tuple[int, ...]:
    chosen = config.study.folds or tuple(range(len(names)))
    if unknown := [fold for fold in chosen if not 0 <= fold < len(names)]:
        raise Fault(
            "config",
            f"study.folds names fold {unknown[0]}",
            got=list(chosen),
            expected=f"numbers from 0 to {len(names) - 1}",
            fix="set study.folds",
        )
    return tuple(dict.fromkeys(chosen))


def _gpus() -> tuple[int, str]:
    """The number of GPUs here, and the name of the first."""
    import torch  # takes seconds to load

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return count, torch.cuda.get_device_name(0) if count else ""


def _device(config: Config, gpus: int) -> Literal["cpu", "cuda"]:
    wanted = config.compute.device
    if wanted == "cuda" and not gpus and not config.study.resources.address:
        raise Fault(
            "config",
            "compute.device is cuda, but there is no GPU here",
            got=wanted,
            expected="auto or cpu",
            fix="set compute.device=auto, or study.resources.address to a cluster with GPUs",
        )
    return ("cuda" if gpus else "cpu") if wanted == "auto" else wanted


def _slots(config: Config, gpus: int, gpu: str) -> dict[str, Any]:
    """Trials at once, CPUs and GPUs of each, and the same in words."""
    threads, remote = config.compute.threads, bool(config.study.resources.address)
    here = cpus(config)
    each = threads if remote else min(threads, here)
    share = config.study.resources.gpus_per_trial if config.compute.device == "cuda" else 0.0
    where = f"{here} CPU{'s' if here > 1 else ''}"
    if remote:
        where = f"the cluster at {config.study.resources.address}"
    text = f"{threads} thread{'s' if threads > 1 else ''} a trial"
    wanted, fit = config.study.resources.trials_at_once, here // each
    if share:
        fit = max(1, min(int(1 / share) * gpus if share <= 1 else int(gpus // share), fit))
    slots = wanted if remote else min(fit, wanted or fit)
    if not share:
        return {"slots": slots, "cpus_per_trial": each, "gpus_per_trial": 0.0, "device": f"{where}, {text}"}
    where = where if remote else f"{gpus} x {gpu}"
    return {
        "slots": slots,
        "cpus_per_trial": each,
        "gpus_per_trial": share,
        "device": f"{where}, {share:g} GPU a trial, {text}",
    }


def _elsewhere(before: Config, config: Config) -> Config:
    """`before` as if it lay where `config` says: its folder has not moved, only the way to it."""
    return replace(before, study=replace(before.study, storage=config.study.storage))


def _compared(config: Config, files: StudyFiles) -> Config | None:
    """What the folder's trials ran with; refuse it if its settings are others. None for a new folder."""
    path = files.config
    try:
        before = study_config(files)
    except (StorageFault, Torn):
        raise
    except Fault as fault:
        raise Fault(
            "study",
            f"{path} was not written by this version of raysernas",
            got=fault.what,
            expected="a study.yaml of this version",
            fix=f"set another study.name, or delete {path.parent}",
        ) from fault
    if before is not None and (changed := differences(before, config)):
        if not [line for line in changed if not line.startswith(CONTENT)]:
            raise Fault(
                "study",
                f"{path.parent} was run on other recordings, labels or folds",
                got="; ".join(changed),
                expected="what they were when this study began",
                fix="restore them, or begin a study under another study.name",
            )
        lines = "".join(f"\n    {line}" for line in changed)
        raise Fault(
            "study",
            f"{path.parent} was run with other settings",
            got=f"{len(changed)} changed (old -> new):{lines}",
            expected="the settings of study.yaml; arms, candidates, folds, seeds and resources may change",
            fix=f"set another study.name for the new settings, or undo the change, or delete {path.parent}",
        )
    return before


def _write(path: Path, text: str) -> None:
    """Write a file of the plan unless it has this text already: a finished study may be read-only."""
    if storage.text(path) != text:
        storage.write_text(path, text)


def _plan(config: Config, corpus: Corpus, names: tuple[str, ...], more: dict[str, Any]) -> StudyPlan:
    rows, remarks = ledger.validation_and_remarks(study_files(config))
    rows = rows.drop_duplicates(["arm", "candidate", "fold", "seed"])
    study = config.study
    for name in ("arm", "fold", "seed"):
        rows = rows[rows[name].isin(getattr(study, f"{name}s"))]
    rows = rows[rows["candidate"] < study.candidates]
    statuses = ("finished", "failed", "raced")
    ended = {status: Counter(rows.loc[rows["status"] == status, "arm"]) for status in statuses}
    held_out = {fold: names[fold] for fold in study.folds}
    return StudyPlan(config=config, corpus=corpus, folds=held_out, remarks=tuple(remarks), **ended, **more)
