"""What a trial leaves behind: its record, its posteriors, the sizes of its parts.

In: the resolved configuration and what the stages found. Out: rows for the ledger. Nothing is decided here.
"""

import json
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import pandas as pd

from raysernas.config.fault import Fault
from raysernas.config.identity import digest, settings
from raysernas.config.schema import TrialConfig
from raysernas.corpora.corpus import UNKNOWN_SPEAKER
from raysernas.corpora.folds import texts
from raysernas.record import ledger
from raysernas.record.ensembles import Ensemble
from raysernas.record.files import TrialFiles, TrialKey
from raysernas.record.ledger import Failure, TrialRecord
from raysernas.training.data import Data
from raysernas.training.evaluation import Prediction, averaged
from raysernas.training.losses import DivergedError
from raysernas.training.model import TrainedModel, chosen_by

WARM_PASSES, TIMED_PASSES = 2, 9  # of one utterance, for its latency


@dataclass(frozen=True, slots=True)
class Retrained:
    """A model after one retraining."""

    seed: int
    model: TrainedModel
    valid: Prediction | None  # of the model that chose; None where there is no ensemble to be scored
    cost: dict[str, float]  # column of the record -> its value


def facts_of(data: Data) -> dict[str, Any]:
    """Sizes of the parts, and who is in them."""
    facts: dict[str, Any] = {
        f"n_{role}": len(getattr(data.split, role)) for role in ("weights", "alphas", "valid", "test")
    }
    heard = [*data.split.weights, *data.split.alphas, *data.split.valid, *data.split.test]
    facts["n_unknown"] = sum(data.corpus.utterances[i].speaker == UNKNOWN_SPEAKER for i in heard)
    facts["n_unlike"], facts["unlike"] = len(data.corpus.unlike), json.dumps(data.corpus.unlike)
    facts["n_confounded"] = len(data.corpus.confounded)
    facts["confounded"] = json.dumps(data.corpus.confounded)
    train = (*data.split.weights, *data.split.alphas)
    facts["n_known_texts"] = texts.shared(data.corpus, train, data.split.test)
    facts["n_skipped"] = len(data.corpus.skipped)
    facts["skipped"] = json.dumps([f"{remark.subject} {remark.what}" for remark in data.corpus.skipped])
    for role in ("valid", "test"):
        speakers = sorted({data.corpus.utterances[i].speaker for i in getattr(data.split, role)})
        facts[f"{role}_speakers"] = json.dumps(speakers)
    return facts


def write_predictions(
    files: TrialFiles, data: Data, retrained: Sequence[Retrained], predictions: Sequence[Prediction]
) -> None:
    """The posteriors on disk: a row for each test utterance and retraining."""
    tables = [_posteriors(data, each.seed, of) for each, of in zip(retrained, predictions, strict=True)]
    ledger.write_table(files.predictions, pd.concat(tables, ignore_index=True))


def _posteriors(data: Data, retrain_seed: int, prediction: Prediction) -> pd.DataFrame:
    """Key, speaker, emotion and the posterior of each emotion."""
    tested = [data.corpus.utterances[i] for i in data.split.test]
    rows = [
        {"key": each.key, "speaker": each.speaker, "emotion": each.emotion, "retrain_seed": retrain_seed}
        for each in tested
    ]
    columns = [f"p_{emotion}" for emotion in data.corpus.emotions]
    return pd.concat([pd.DataFrame(rows), pd.DataFrame(prediction.posteriors, columns=columns)], axis=1)


def finished(
    trial: TrialConfig,
    study: str,
    key: TrialKey,
    data: Data,
    retrained: Sequence[Retrained],
    predictions: Sequence[Prediction],
    facts: dict[str, Any],
) -> list[TrialRecord]:
    """The records of a trial, one for each retraining; if there are several, each has the ensemble too."""
    records, ensemble = [], ensemble_of([each.valid for each in retrained], predictions)
    for each, prediction in zip(retrained, predictions, strict=True):
        model, latency = each.model, latency_ms(each.model, data)
        measured = {"epoch": model.epoch, "parameters": model.parameters, "latency_ms": latency}
        record = TrialRecord(
            study=study,
            key=key,
            digest=digest(trial),
            settings=settings(trial),
            status="finished",
            retrain_seed=each.seed,
            emotions=data.corpus.emotions,
            valid=model.valid,
            test=prediction.evaluation,
            ensemble=ensemble,
            facts={**facts, **each.cost, **measured, **chosen_by(model)},
        )
        records.append(record)
    return records


def ensemble_of(valid: Sequence[Prediction | None], test: Sequence[Prediction]) -> Ensemble | None:
    """The scores of the mean posteriors of several retrainings; None for a single one."""
    known = [each for each in valid if each is not None]
    if len(test) < 2 or len(known) < len(test):
        return None
    return Ensemble(len(test), averaged(known).evaluation, averaged(test).evaluation)


def failed(trial: TrialConfig, study: str, key: TrialKey, error: Exception, seconds: float) -> TrialRecord:
    """The record of a trial that would fail again. Args: seconds: of its last attempt."""
    reason = str(error) if isinstance(error, Fault) else f"{type(error).__name__}: {error}"
    record = ledger.failure(trial, study, key, reason, _kind(error))
    return replace(record, facts=record.facts | {"failed_s": seconds})


def _kind(error: Exception) -> Failure:
    if isinstance(error, DivergedError):
        return "not_a_number"
    *_, (raised_in, _) = traceback.walk_tb(error.__traceback__)
    of_speech = raised_in.f_globals["__name__"].startswith("raysernas.corpora")
    return "bad_data" if isinstance(error, Fault) and of_speech else "error"


def latency_ms(model: TrainedModel, data: Data) -> float:
    """Milliseconds for one window of one validation utterance: the median of a few, after a warm-up."""
    batch, _ = next(data.part("valid").windows(1))
    taken = []
    for _ in range(WARM_PASSES + TIMED_PASSES):
        start = time.perf_counter()
        model.posteriors(batch)
        taken.append(1000 * (time.perf_counter() - start))
    return median(taken[WARM_PASSES:])
