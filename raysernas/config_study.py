"""The words of a study: what it asks, how often, and on what machines; nothing of it is part of a trial's identity.

`config.py` puts them beside the settings of a trial. As there, defaults stand here and nowhere else.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from raysernas.config_arms import Arm


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourcesConfig:
    """How many trials at once and what is done when one dies; no part of any trial's identity."""

    address: str = ""  # of a running Ray cluster, or auto; none = start one here
    cpus: int = 0  # 0 = all
    trials_at_once: int = 0  # 0 = as many as fit; on a cluster that grows by itself, as many as it may grow to
    gpus_per_trial: float = 1.0  # where trials run on GPUs
    cache_gb: float = 200.0  # of features kept in study.storage; the least recently used go first
    checkpoint_s: float = 60.0  # between two checkpoints of a trial; stages always end with one
    pictures_every: int = 5  # epochs, between two pictures of the same in TensorBoard; 0 = none but those of the end
    max_failures: int = 2  # so often a trial whose process was lost or ran out of memory is run again
    no_progress_s: float = 1800.0  # after which a trial without a step is killed, and a study without a report ends


@dataclass(frozen=True, kw_only=True, slots=True)
class RacingConfig:
    """When a candidate is given up: worse than the best one on the same folds, by a paired t-test (Nadeau and Bengio, 2003)."""

    on: bool = False
    pairs: int = 3  # fewest folds that both have, seeds averaged within a fold
    p: float = 0.1  # one-sided, that all looks at one candidate share
    looks: Literal["bonferroni", "none"] = "bonferroni"  # how they share it


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyConfig:
    """One question on one corpus: arms x candidates x folds x seeds."""

    name: str = "study"
    storage: str = "results"  # folder, or a URI such as s3://bucket/prefix, that holds the studies
    cache: str = ""  # local folder, on each node, of features and fetched corpora; none = .cache in a local storage
    arms: tuple[Arm, ...] = ("darts", "random", "cnn_lstm_attention")
    candidates: int = 1  # per arm; the first is the configuration as written
    folds: tuple[int, ...] = ()  # none named = all
    seeds: tuple[int, ...] = (0,)
    seed: int = 0  # of the proposals
    protocol: Literal["flat", "nested"] = "flat"  # one search for settings per arm (optimistic), or one per arm and outer fold
    sampler: Literal["tpe", "gp", "random", "nsga2"] = "tpe"
    objectives: tuple[Literal["valid_ua", "parameters", "latency_ms"], ...] = ("valid_ua",)  # more than one: a Pareto set
    generation: int = 0  # candidates proposed together once all earlier ones have ended; 0 = each when a slot is free
    points: dict[str, Any] = field(default_factory=dict)  # tried first, after the settings as written: name -> {dotted key: value}
    space: dict[str, Any] = field(default_factory=dict)  # dotted key -> {low, high[, log]} or {choices}
    racing: RacingConfig = field(default_factory=RacingConfig)
    retry_failed: bool = False
    resources: ResourcesConfig = field(default_factory=ResourcesConfig)
