"""Where everything of a study lies. No other module builds a path.

A study's root is a local folder or a place in an object store. Every path is made from it, so both work
alike.
"""

import hashlib
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from raysernas.config.fault import Fault
from raysernas.config.files import find, from_study_yaml, load, overridden, study_yaml, torn
from raysernas.config.schema import Config
from raysernas.record import seal, storage

STATE = Path("~/.cache/raysernas")  # local state; nothing in it is needed to continue a study


@dataclass(frozen=True, order=True, kw_only=True, slots=True)
class TrialKey:
    """Identifies a trial of a study."""

    arm: str
    candidate: int
    fold: int
    seed: int

    @property
    def name(self) -> str:
        """Short, unique in the study and safe as a file name: `darts-c003-f2-s1`."""
        return f"{self.arm}-c{self.candidate:03d}-f{self.fold}-s{self.seed}"


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateGroup:
    """Candidates that are compared with one another: those of an arm, or of an arm on one outer fold if the
    protocol is nested.
    """

    arm: str
    fold: int | None = None

    @property
    def name(self) -> str:
        """Safe as a file name: `darts` or `darts-f2`."""
        return self.arm if self.fold is None else f"{self.arm}-f{self.fold}"


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """The folder of one study."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.root / "study.yaml"

    @property
    def folds(self) -> Path:
        """Which speakers are in which part of which fold."""
        return self.root / "folds.csv"

    @property
    def journal(self) -> Path:
        """The candidates and their results, for Optuna's own tools. Always local, because it is written line
        by line; beside the study where that is local. Rebuilt from the other files.
        """
        if storage.is_local(self.root):
            return self.root / "optuna.journal"
        mark = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        return at_home(STATE) / "journals" / f"{self.root.name}-{mark}" / "optuna.journal"

    @property
    def lock(self) -> Path:
        """Locked by the launch that runs the study, where files can be locked."""
        return self.root / "launch.lock"

    @property
    def leases(self) -> Path:
        """One object for each launch of the study, where files cannot be locked; the latest launch runs
        it.
        """
        return self.root / "leases"

    @property
    def candidates(self) -> Path:
        """One JSON file for each candidate."""
        return self.root / "candidates"

    def candidate(self, group: CandidateGroup, number: int) -> Path:
        """Settings and state of a candidate: `darts-c003.json`, or `darts-f2-c003.json` in a nested study."""
        return self.candidates / f"{group.name}-c{number:03d}.json"

    @property
    def trials(self) -> Path:
        """The ledger: one Parquet file for each trial that has ended."""
        return self.root / "trials"

    @property
    def tensorboard(self) -> Path:
        """The log directory for TensorBoard."""
        return self.root / "tensorboard"

    def trial(self, key: TrialKey) -> "TrialFiles":
        """The files of one trial."""
        return TrialFiles(self.root, key)

    def single(self, key: TrialKey) -> "TrialFiles":
        """The files of a trial that is run by itself, apart from those of the study."""
        return TrialFiles(self.root / "single", key)


@dataclass(frozen=True, slots=True)
class TrialFiles:
    """The files that one trial writes, named after its key; the record is written last."""

    root: Path
    key: TrialKey

    @property
    def record(self) -> Path:
        """Its rows of the ledger; the trial has ended once this file exists."""
        return self.root / "trials" / f"{self.key.name}.parquet"

    @property
    def predictions(self) -> Path:
        """Posteriors of all test utterances."""
        return self.root / "predictions" / f"{self.key.name}.parquet"

    @property
    def genotype(self) -> Path:
        """The architecture, where the arm has one."""
        return self.root / "genotypes" / f"{self.key.name}.json"

    @property
    def supernet(self) -> Path:
        """The state of a finished search: weights, alphas, optimisers, random states."""
        return self.root / "supernets" / f"{self.key.name}.pt"

    @property
    def history(self) -> Path:
        """One JSON line for each epoch of each stage."""
        return self.root / "history" / f"{self.key.name}.jsonl"

    @property
    def tensorboard(self) -> Path:
        """The folder of the trial's TensorBoard run."""
        return (
            self.root
            / "tensorboard"
            / self.key.arm
            / f"c{self.key.candidate:03d}"
            / f"f{self.key.fold}"
            / f"s{self.key.seed}"
        )

    def events(self, when: str) -> Path:
        """An event file of that run; TensorBoard reads them in the order of `when`."""
        return self.tensorboard / f"events.out.tfevents.{when}"

    @property
    def events_end(self) -> Path:
        """The event file of the end of the run; its name makes TensorBoard read it last."""
        return self.events("end")

    @property
    def checkpoints(self) -> Path:
        """The folder of the trial's checkpoints, deleted once its record is written."""
        return self.root / "checkpoints" / self.key.name

    @property
    def attempts(self) -> Path:
        """When and where the trial was started; deleted with the checkpoints."""
        return self.root / "attempts" / f"{self.key.name}.json"

    @property
    def lock(self) -> Path:
        """Locked by the process of a trial that is run by itself."""
        return self.root / "locks" / f"{self.key.name}.lock"

    @property
    def leases(self) -> Path:
        """As those of a study, for a trial that is run by itself."""
        return self.root / "leases" / self.key.name

    def checkpoint(self, stage: str) -> Path:
        """The checkpoint of a stage, such as `search` or `retrain-0`."""
        return self.checkpoints / f"{stage}.pt"

    def weights(self, retrain_seed: int) -> Path:
        """The trained weights of one retraining."""
        return self.root / "weights" / f"{self.key.name}-r{retrain_seed}.pt"


def study_files(config: Config) -> StudyFiles:
    """The folder that a configuration writes to."""
    return StudyFiles(storage.place(config.study.storage) / config.study.name)


def visible_study(root: str) -> StudyFiles:
    """The files of a study that has begun, for a process on any node.

    Raises:
        StorageFault: when this node does not see them; it would write trials where nobody looks.
    """
    files = StudyFiles(storage.place(root))
    if storage.exists(files.config):
        return files
    raise storage.StorageFault(
        "storage",
        f"{platform.node()} does not see the study in {root}",
        got=f"no {files.config.name} there",
        expected="a folder that all nodes share, or a bucket",
        fix="set study.storage to a shared disk that is mounted at the same path on every node, or to a URI "
        "such as s3://",
    )


def study_config(study: StudyFiles) -> Config | None:
    """The configuration that a study was last launched with; None for no study.

    Raises:
        Fault: when it cannot be read, or is not whole.
    """
    text = storage.text(study.config)
    if text is not None and not seal.is_sound(text.encode()):
        raise torn(f"{study.config} is damaged", "another checksum than it was sealed with")
    return None if text is None else from_study_yaml(text, str(study.config))


def write_study_config(study: StudyFiles, config: Config) -> None:
    """Write a study.yaml, with a seal in its first line.

    Raises:
        StorageFault: when the folder cannot be written.
    """
    text = f"# {seal.BLANK.decode()}\n{study_yaml(config)}"
    storage.put(study.config, seal.seal(text.encode()))


def need_config(study: StudyFiles) -> Config:
    """As `study_config`.

    Raises:
        Fault: when the folder is not a study's.
    """
    if (config := study_config(study)) is None:
        raise Fault(
            "results",
            f"{study.root} is not the folder of a study",
            got="no study.yaml in it",
            expected="a folder that raysernas.launch has written, such as results/laptop",
            fix="check the path",
        )
    return config


def configuration(name: str, overrides: Sequence[str]) -> Config:
    """The configuration of a CONFIG and `key=value` overrides. A study.yaml among results means these
    results: the study is continued where it lies.

    Raises:
        Fault: as `load`; as `continued`.
    """
    path = find(name)
    beside = StudyFiles(path.absolute().parent)
    if path.name == beside.config.name and (beside.lock.exists() or beside.trials.exists()):
        return continued(beside.root, overrides)
    return load(name, overrides)


def continued(root: Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration of the study in a folder or a bucket, which stays there unless an override moves it.

    Raises:
        Fault: when the folder is not a study's, and as `load`.
    """
    config = need_config(StudyFiles(root))
    if not _lies_in(config, root):
        moved = replace(config.study, storage=str(root.parent), name=root.name)
        config = replace(config, study=moved)
    return overridden(config, overrides)


def _lies_in(config: Config, root: Path) -> bool:
    """Whether a configuration names this folder; not if its place cannot be reached from here."""
    with suppress(Fault):
        return study_files(config).root == root
    return False


def cache_text(config: Config) -> str:
    """The cache folder as text for every node. `~` is not expanded, because home folders differ."""
    if cache := config.study.cache:
        return cache if cache.startswith("~") else str(storage.place(cache))
    root = storage.place(config.study.storage)
    return str(root / ".cache" if storage.is_local(root) else STATE)


def cache_folder(config: Config) -> Path:
    """Features, file hashes and fetched corpora. Always local; may be deleted at any time."""
    return at_home(Path(cache_text(config))).absolute()


def at_home(path: Path) -> Path:
    """The path with a leading `~` expanded.

    Raises:
        Fault: when the user has no home folder, as in some containers.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        what, got = f"{path} is nowhere: this user has no home folder", f"uid {os.getuid()} and no HOME"
        fix = "set HOME, or study.cache and study.storage to folders elsewhere"
        raise Fault("storage", what, got=got, expected="a home folder", fix=fix) from error
