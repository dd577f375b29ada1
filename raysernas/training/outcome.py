"""What a trial leaves behind: its record, its posteriors, the sizes of its parts.

In: the resolved configuration and what the stages found. Out: rows for the ledger. Nothing is decided here.
"""

import json
import time
import traceback
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import pandas as pd
import torch

from raysernas.config.fault import Fault
from raysernas.config.identity import digest, settings
from raysernas.config.schema import TrialConfig
from raysernas.corpora.corpus import UNKNOWN_SPEAKER
from raysernas.model.designed import Majority
from raysernas.model.network import Network, count_parameters
from raysernas.record import ledger
from raysernas.record.files import TrialKey
from raysernas.record.ledger import Failure, TrialRecord
from raysernas.training.data import Data
from raysernas.training.fit import Fitted, Prediction
from raysernas.training.state import DivergedError

WARM_PASSES, TIMED_PASSES = 2, 9  # of one utterance, for its latency


@dataclass(frozen=True, slots=True)
class Retrained:
    """A network after one retraining."""

    seed: int
    network: Network | Majority
    fitted: Fitted
    cost: dict[str, float]


def facts_of(data: Data) -> dict[str, Any]:
    """Sizes of the parts, and who is in them."""
    facts: dict[str, Any] = {
        f"n_{role}": len(getattr(data.split, role)) for role in ("weights", "alphas", "valid", "test")
    }
    heard = [*data.split.weights, *data.split.alphas, *data.split.valid, *data.split.test]
    facts["n_unknown"] = sum(data.corpus.utterances[i].speaker == UNKNOWN_SPEAKER for i in heard)
    facts["n_unlike"], facts["unlike"] = len(data.corpus.unlike), json.dumps(data.corpus.unlike)
    facts["n_skipped"] = len(data.corpus.skipped)
    facts["skipped"] = json.dumps([f"{remark.subject} {remark.what}" for remark in data.corpus.skipped])
    for role in ("valid", "test"):
        speakers = sorted({data.corpus.utterances[i].speaker for i in getattr(data.split, role)})
        facts[f"{role}_speakers"] = json.dumps(speakers)
    return facts


def posteriors(data: Data, retrain_seed: int, prediction: Prediction) -> pd.DataFrame:
    """One row for each test utterance: its key, speaker, emotion and the posterior of each emotion."""
    utterances = [data.corpus.utterances[i] for i in data.split.test]
    rows = [
        {"key": each.key, "speaker": each.speaker, "emotion": each.emotion, "retrain_seed": retrain_seed}
        for each in utterances
    ]
    columns = pd.DataFrame(
        prediction.posteriors, columns=[f"p_{emotion}" for emotion in data.corpus.emotions]
    )
    return pd.concat([pd.DataFrame(rows), columns], axis=1)


def finished(
    trial: TrialConfig,
    study: str,
    key: TrialKey,
    *,
    data: Data,
    each: Retrained,
    prediction: Prediction,
    facts: dict[str, Any],
) -> TrialRecord:
    """The record of one retraining of a trial."""
    return TrialRecord(
        study=study,
        key=key,
        digest=digest(trial),
        settings=settings(trial),
        status="finished",
        retrain_seed=each.seed,
        emotions=data.corpus.emotions,
        valid=each.fitted.valid,
        test=prediction.evaluation,
        facts={
            **facts,
            **each.cost,
            "epoch": each.fitted.epoch,
            "parameters": count_parameters(each.network),
            "latency_ms": latency_ms(each.network, data),
        },
    )


def failed(trial: TrialConfig, study: str, key: TrialKey, error: Exception, seconds: float) -> TrialRecord:
    """The record of a trial that would fail again in the same way, after so many seconds of its last
    attempt.
    """
    reason = str(error) if isinstance(error, Fault) else f"{type(error).__name__}: {error}"
    record = ledger.failure(trial, study, key, reason, _kind(error))
    return replace(record, facts=record.facts | {"failed_s": seconds})


def _kind(error: Exception) -> Failure:
    if isinstance(error, DivergedError):
        return "not_a_number"
    *_, (raised_in, _) = traceback.walk_tb(error.__traceback__)
    of_speech = raised_in.f_globals["__name__"].startswith("raysernas.corpora")
    return "bad_data" if isinstance(error, Fault) and of_speech else "error"


def latency_ms(network: Network | Majority, data: Data) -> float:
    """Milliseconds of a forward pass of one window of one validation utterance: the median of a few, after a
    warm-up.
    """
    network.eval()
    batch, _ = next(data.part("valid").windows(1))
    taken = []
    with torch.no_grad():
        for _ in range(WARM_PASSES + TIMED_PASSES):
            start = time.perf_counter()
            network(batch.features, batch.frames)
            if data.device.type == "cuda":
                torch.cuda.synchronize(data.device)
            taken.append(1000 * (time.perf_counter() - start))
    return median(taken[WARM_PASSES:])
