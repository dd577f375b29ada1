"""One trial: a complete search-and-retrain for one arm, one fold and one seed. Reads like the method section.

    python -m raysernas.trial CONFIG [arm=darts] [fold=0] [seed=0] [key=value ...]

runs one here, without Ray. The last act of a trial is its record in the ledger; whatever goes wrong before
becomes a failed record with its reason. A trial that was killed, or asked to stop, goes on from its last
checkpoint when it is run again. The test speakers are opened once, in `_test`, after every choice has been
made.
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from raysernas.arms.arm import Architecture
from raysernas.arms.members import MEMBERS
from raysernas.config.fault import Fault
from raysernas.config.files import assign
from raysernas.config.identity import digest, trial_config
from raysernas.config.schema import Config, StudyConfig, TrialConfig
from raysernas.corpora import catalogue
from raysernas.corpora.corpus import Corpus
from raysernas.corpora.folds import splits
from raysernas.features import extraction
from raysernas.features.functionals import members
from raysernas.record import attempts, ensembles, ledger, lock, storage
from raysernas.record.files import TrialFiles, TrialKey, cache_folder, configuration, study_files
from raysernas.record.genotype import Genotype
from raysernas.record.ledger import TrialRecord
from raysernas.record.metrics import METRICS
from raysernas.record.progress_bar import progress_bar
from raysernas.record.protocol import COUNTED, marks
from raysernas.record.provenance import provenance
from raysernas.record.storage import StorageFault
from raysernas.record.terminal import lenient_streams, print_error
from raysernas.runtime import checkpoint_file, checkpointing, interrupts
from raysernas.runtime.checkpointing import Interrupted, Retryable, TrialCheckpoints
from raysernas.runtime.determinism import device_of, instructions, pin
from raysernas.runtime.resource_meter import metered
from raysernas.runtime.watchdog import watch
from raysernas.search import audit
from raysernas.tensorboard import finalize
from raysernas.tensorboard.telemetry import Progress, Telemetry
from raysernas.training import outcome, stored_model
from raysernas.training.data import Data, prepare
from raysernas.training.evaluation import Prediction
from raysernas.training.model import TrainedModel, predict
from raysernas.training.outcome import Retrained


def run(
    trial: TrialConfig,
    *,
    study: StudyConfig,
    files: TrialFiles,
    cache: Path,
    report: Callable[[Progress], object] = lambda _: None,
    should_stop: Callable[[], str] = lambda: "",
) -> pd.DataFrame:
    """Run a trial, or what is left of it, or return its rows if it has finished before.

    Args:
        trial: resolved (`resolve`): device and corpus fingerprint are known.
        study: that it belongs to. Its resources say how often checkpoints are written, and after how long
            without a step the process is ended (exit code 70).
        report: called after each epoch of each stage; for the epochs of an earlier attempt only after the
            last.
        should_stop: called after each step: a reason to stop, or "".

    Raises:
        Interrupted: when `should_stop` has given a reason. Run again, the trial continues; there is no
            record.
        Retryable: when memory did not suffice; there is no record either.
        Fault: when the disk cannot be written, or an old record cannot be read; there is no new record then.
    """
    done = ledger.read(files)
    if done is not None and (done["status"] == "finished").all() and (done["digest"] == digest(trial)).all():
        checkpointing.discard(files)
        return done
    attempts.begin(files)
    began_s = time.monotonic()
    try:
        with watch(study.resources.no_progress_s) as heartbeat:
            records = _attempt(trial, study, files, cache, report, should_stop, heartbeat)
    except (StorageFault, Interrupted):
        # not the trial's fault: it is not recorded as failed, and continues when there is room, or time
        raise
    except Exception as error:
        if checkpointing.is_out_of_memory(error):
            raise Retryable("out_of_memory", f"{type(error).__name__}: {error}") from error
        records = [outcome.failed(trial, study.name, files.key, error, time.monotonic() - began_s)]
    rows = finalize.finalize(files, trial, study, records)
    checkpointing.discard(files)
    return rows


def _attempt(
    trial: TrialConfig,
    study: StudyConfig,
    files: TrialFiles,
    cache: Path,
    report: Callable[[Progress], object],
    should_stop: Callable[[], str],
    heartbeat: Callable[[], None],
) -> list[TrialRecord]:
    pin(trial.compute)
    arm, device, every_s = MEMBERS[trial.arm], device_of(trial), study.resources.checkpoint_s
    with ExitStack() as stack:
        telemetry = stack.enter_context(closing(Telemetry(files, trial, study, report)))
        signals = should_stop, heartbeat, telemetry.remark
        checkpoints = TrialCheckpoints(files, digest(trial), device, every_s, *signals)
        stack.enter_context(closing(checkpoints))
        earlier = checkpoints.earlier_cost  # seconds and memory of earlier attempts, stage by stage

        # 1. split: test speakers are held out; of the others some validate, the rest is cut into two halves
        # 2. features: scaled with the statistics of the training speakers (weights and alphas) only
        with metered(device) as cost:
            data = prepare(trial, cache)
        facts = {**provenance(), "instructions": instructions(), **outcome.facts_of(data)}
        facts |= cost.row("features")
        telemetry.parts(facts, data.corpus.emotions)
        checkpoints.poll()

        # 3. search and 4. derive (or draw, or design) the architecture
        with metered(device, earlier) as cost:
            reporter = telemetry.stage("search", arm.reports(trial))
            found = arm.architecture(trial, data, reporter, checkpoints.stage)
        facts |= {**found.row, **cost.row("search")}
        _store(found, files, telemetry)

        # how good the search itself was, if that is asked for (validation speakers only)
        with metered(device, earlier) as cost:
            if found.searched:
                reporter = telemetry.stage("checks", audit.count(trial, found.searched))
                facts |= audit.checks(trial, data, found.searched, reporter, checkpoints.stage)
        facts |= cost.row("checks")

        # 5. retrain from scratch on weights + alphas, the epoch chosen on the validation speakers; if that is
        # asked for, once more on all of these people, for that many epochs
        retrained: list[Retrained] = []
        for seed in trial.retrain.seeds:
            with metered(device, earlier) as cost:
                valid, model = _retrained(trial, data, found.genotype, seed, telemetry, checkpoints)
            stored_model.save(files.weights(seed), trial, data, arm.design, found.genotype, model)
            retrained.append(Retrained(seed, model, valid, cost.row("retrain")))

        # 6. test: every utterance of the held-out speakers, once, after everything has been chosen; the mean
        # posteriors of several retrainings are scored as one model
        with metered(device) as cost:
            predictions = [_test(each.model, data, checkpoints.poll) for each in retrained]
        facts |= cost.row("test", runs=len(retrained))
        outcome.write_predictions(files, data, retrained, predictions)
        mean = float(np.mean([each.model.valid.ua for each in retrained]))
        report(Progress(stage="test", epoch=1, epochs=1, valid_ua=mean))
        return outcome.finished(trial, study.name, files.key, data, retrained, predictions, facts)


def _retrained(
    trial: TrialConfig,
    data: Data,
    genotype: Genotype | None,
    seed: int,
    telemetry: Telemetry,
    checkpoints: TrialCheckpoints,
) -> tuple[Prediction | None, TrainedModel]:
    """What the model of the chosen epoch answers on the validation part, where that is to be averaged over
    seeds; and the model to be tested: with `retrain.on=all_but_test` another, trained anew.
    """
    arm, purpose = MEMBERS[trial.arm], str(seed)
    reporter = telemetry.stage("retrain", trial.retrain.epochs, seed)
    chosen = arm.fit(trial, data, genotype, purpose, reporter, checkpoints.stage(f"retrain-{seed}"))
    several = len(trial.retrain.seeds) > 1
    # not to be stopped in: it is not saved, so that short attempts would never get past it
    valid = predict(chosen, data.part("valid"), checkpoints.heartbeat) if several else None
    if trial.retrain.on == "train":
        return valid, chosen
    reporter = telemetry.stage("refit", chosen.epoch, seed)
    checkpoint = checkpoints.stage(f"refit-{seed}")
    return valid, arm.refit(trial, data, genotype, purpose, chosen, reporter, checkpoint)


def _store(found: Architecture, files: TrialFiles, telemetry: Telemetry) -> None:
    """The architecture and the state of its search, on disk and in TensorBoard."""
    if found.genotype:
        storage.write_text(files.genotype, found.genotype.to_json() + "\n")
        telemetry.genotype(found.genotype)
    if found.state:
        checkpoint_file.save(files.supernet, found.state)


def resolve(config: Config, corpus: Corpus) -> Config:
    """The configuration with everything fixed that the machine, the corpus and the front end decide."""
    device = config.compute.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise Fault(
            "trial",
            "there is no GPU here",
            got="compute.device=cuda",
            expected="a GPU that torch sees",
            fix="set compute.device=cpu",
        )
    members.check(config)
    chosen = splits.resolved(catalogue.resolved(config.corpus, corpus), corpus)
    features = extraction.resolved(config.features, cache_folder(config))
    return replace(assign(config, {"compute.device": device}), corpus=chosen, features=features)


def _test(model: TrainedModel, data: Data, after: Callable[[], object]) -> Prediction:
    """The only place where the test speakers are heard."""
    return predict(model, data.part("test"), after)


def main(arguments: Sequence[str]) -> int:
    """`python -m raysernas.trial CONFIG [arm=...] [fold=...] [seed=...] [key=value ...]`."""
    with lenient_streams("nobody reads the output any more; the trial goes on without it"):
        try:
            with interrupts.catch_signals() as should_stop:
                return _here(arguments, should_stop)
        except Interrupted as stop:
            print_error(f"stopped by {stop.reason}; the same command continues from here")
            return interrupts.exit_code(stop.reason)
        except Retryable as stop:
            print_error(f"out of memory; the same command continues from the last checkpoint\n{stop.reason}")
            return 1
        except Fault as fault:
            print_error(fault)
            return 2


def _here(arguments: Sequence[str], should_stop: Callable[[], str]) -> int:
    chosen: dict[str, str] = {"arm": "darts", "fold": "0", "seed": "0"}
    names = [argument for argument in arguments if "=" not in argument]
    overrides = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key in chosen:
            chosen[key] = value
        elif "=" in argument:
            overrides.append(argument)
    if len(names) > 1:
        raise Fault(
            "trial",
            "more than one CONFIG",
            got=" ".join(names),
            expected="one, and key=value",
            fix="run them one by one",
        )
    config = configuration(next(iter(names), "laptop"), overrides)
    cache = cache_folder(config)
    with progress_bar("looking at the audio files") as reading:
        corpus = catalogue.read(config.corpus, cache, reading)
    config = resolve(config, corpus)
    fold, seed = _number("fold", chosen), _number("seed", chosen)
    trial = trial_config(config, arm=chosen["arm"], fold=fold, seed=seed)
    key = TrialKey(arm=trial.arm, candidate=0, fold=trial.fold, seed=trial.seed)
    files = study_files(config).single(key)
    rows = _finished(files, digest(trial))  # also in a folder that cannot be written any more
    if rows is None:
        with lock.held(files):
            signals = {"report": _print, "should_stop": should_stop}
            rows = run(trial, study=config.study, files=files, cache=cache, **signals)
    row = rows.iloc[0]
    if row["status"] == "failed":
        print_error(f"{key.name} failed: {row['reason']}")
        return 1
    if row["commit"] != (now := provenance()["commit"]):
        print(
            f"this record is an earlier one, of commit {row['commit'] or '-'}; the code here is {now or '-'}"
        )
    columns = {"valid_ua": METRICS["ua"], **{f"test_{name}": metric for name, metric in METRICS.items()}}
    scores = ", ".join(f"{name} {metric.text(rows[name].mean())}" for name, metric in columns.items())
    print(f"{key.name}: {scores}  ({int(row['parameters'])} parameters)")
    if ensembles.MEMBERS in row:
        own = ", ".join(f"{name} {metric.text(row[f'ensemble_{name}'])}" for name, metric in columns.items())
        print(f"mean posteriors of its {row[ensembles.MEMBERS]:.0f} retrainings: {own}")
    counted = {name: int(row[f"n_{name}"]) for name in COUNTED if f"n_{name}" in row}
    marked = marks(assign(config, {"study.candidates": 1}), **counted, mixed=())
    print(*(f"{word}: {meaning}" for word, meaning in marked.items()), files.record, sep="\n")
    return 0


def _finished(files: TrialFiles, wanted: str) -> pd.DataFrame | None:
    """The record of a trial that has finished under these settings; None if it has not.

    Raises:
        Fault: when it has finished under other settings; its record is not replaced.
    """
    done = ledger.read(files)
    if done is None or (done["status"] != "finished").any():
        return None
    if (done["digest"] != wanted).any():
        raise Fault(
            "trial",
            f"{files.record} holds this trial under other settings",
            got=f"digest {done['digest'].iloc[0]}",
            expected=f"digest {wanted}",
            fix="set another study.name, or move that file away",
        )
    return done


def _number(name: str, chosen: dict[str, str]) -> int:
    if not chosen[name].isdecimal():
        raise Fault(
            "trial",
            f"{name} is not a number",
            got=chosen[name],
            expected="0, 1, 2, ...",
            fix=f"write {name}=0",
        )
    return int(chosen[name])


def _print(progress: Progress) -> None:
    loss = "" if np.isnan(progress.loss) else f"loss {progress.loss:.4f}"
    score = "" if np.isnan(progress.valid_ua) else f"  valid UA {100 * progress.valid_ua:5.1f}"
    print(f"{progress.stage:8} {progress.epoch:3}/{progress.epochs}  {loss}{score}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
