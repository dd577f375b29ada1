"""What TensorBoard's hparams page reads: the settings that a study searches, the scores, and how each trial
has ended.

In: a study, a trial and its key. Out: (tag, metadata) of summaries that stand in the trial's own run. The
page takes its columns from whichever run it finds first, so every run of a study has the same ones, without
domains: a study may be extended.
"""

from importlib import import_module
from typing import Any

from raysernas.config.identity import settings
from raysernas.config.schema import StudyConfig, TrialConfig
from raysernas.record.files import TrialKey
from raysernas.record.metrics import METRICS

Told = tuple[str, Any]  # tag and SummaryMetadata
SCORES = {  # tag of a scalar of the run -> its name on the page
    **{f"result/valid_{name}": f"validation {metric.label}" for name, metric in METRICS.items()},
    **{f"result/test_{name}": f"test {metric.label} (not to choose by)" for name, metric in METRICS.items()},
    "result/finished": "finished (1) or not (0)",
}


def values(trial: TrialConfig, study: StudyConfig, key: TrialKey) -> dict[str, str | float | bool]:
    """Name -> value: who the trial is, and those searched settings that its arm reads."""
    own = settings(trial)
    names = {
        "arm": key.arm,
        "candidate": f"c{key.candidate:03d}",
        "fold": f"f{key.fold}",
        "seed": f"s{key.seed}",
    }
    return names | {name: own[name] for name in study.space if name in own}


def columns(study: StudyConfig, now_s: float) -> Told:
    """Of the page."""
    api = _room("api_pb2")
    names = dict.fromkeys(("arm", "candidate", "fold", "seed"), api.DATA_TYPE_STRING)
    names |= {name: _type(axis) for name, axis in study.space.items()}
    experiment = api.Experiment(
        description=f"study {study.name}",
        time_created_secs=now_s,
        hparam_infos=[api.HParamInfo(name=name, type=kind) for name, kind in names.items()],
        metric_infos=[
            api.MetricInfo(name=api.MetricName(tag=tag), display_name=name) for tag, name in SCORES.items()
        ],
    )
    return _told("EXPERIMENT_TAG", experiment=experiment)


def begun(trial: TrialConfig, study: StudyConfig, key: TrialKey, now_s: float) -> Told:
    """A trial has begun."""
    info = _room("plugin_data_pb2").SessionStartInfo(start_time_secs=now_s)
    for name, value in values(trial, study, key).items():
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, str):
            info.hparams[name].string_value = value
        else:
            info.hparams[name].number_value = value
    return _told("SESSION_START_INFO_TAG", session_start_info=info)


def ended(status: str, now_s: float) -> Told:
    """A trial has ended: `finished` is a success, `failed` a failure; of `raced` the page has no word, and
    calls it unknown.
    """
    api = _room("api_pb2")
    known = {"finished": api.STATUS_SUCCESS, "failed": api.STATUS_FAILURE}
    info = _room("plugin_data_pb2").SessionEndInfo(
        status=known.get(status, api.STATUS_UNKNOWN), end_time_secs=now_s
    )
    return _told("SESSION_END_INFO_TAG", session_end_info=info)


def _told(tag: str, **content: Any) -> Told:
    metadata = _room("metadata")
    return getattr(metadata, tag), metadata.create_summary_metadata(
        _room("plugin_data_pb2").HParamsPluginData(**content)
    )


def _room(name: str) -> Any:
    """Of the plugin, whose protocol buffers no type checker sees."""
    return import_module(f"tensorboard.plugins.hparams.{name}")


def _type(axis: dict[str, Any]) -> int:
    """Of the values of one axis of a space, as the page calls it."""
    api, offered = _room("api_pb2"), axis.get("choices", [0.0])
    kinds = ((bool, api.DATA_TYPE_BOOL), (int | float, api.DATA_TYPE_FLOAT64))
    return next(
        (code for kind, code in kinds if all(isinstance(each, kind) for each in offered)),
        api.DATA_TYPE_STRING,
    )
