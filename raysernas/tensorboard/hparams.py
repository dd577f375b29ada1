"""Metadata for TensorBoard's hparams page: the searched settings, the scores, and how each trial ended.

In: a study, a trial and its key. Out: (tag, metadata) of summaries in the trial's own run. The page takes its
columns from the first run that it finds, so every run of a study declares the same ones. Their domains are
left out, because a study may be extended.
"""

from importlib import import_module
from typing import Any

from raysernas.config.identity import settings
from raysernas.config.schema import StudyConfig, TrialConfig
from raysernas.record.files import TrialKey
from raysernas.record.metrics import METRICS

PluginSummary = tuple[str, Any]  # tag and SummaryMetadata
SCORES = {  # tag of a scalar of the run -> its name on the page
    **{f"result/valid_{name}": f"validation {metric.label}" for name, metric in METRICS.items()},
    **{f"result/test_{name}": f"test {metric.label} (not to choose by)" for name, metric in METRICS.items()},
    "result/finished": "finished (1) or not (0)",
}


def values(trial: TrialConfig, study: StudyConfig, key: TrialKey) -> dict[str, str | float | bool]:
    """Name -> value: the trial's key, and the searched settings that its arm reads."""
    own = settings(trial)
    names = {
        "arm": key.arm,
        "candidate": f"c{key.candidate:03d}",
        "fold": f"f{key.fold}",
        "seed": f"s{key.seed}",
    }
    return names | {name: own[name] for name in study.space if name in own}


def experiment(study: StudyConfig, now_s: float) -> PluginSummary:
    """The columns of the page."""
    api = _plugin("api_pb2")
    names = dict.fromkeys(("arm", "candidate", "fold", "seed"), api.DATA_TYPE_STRING)
    names |= {name: _type(axis) for name, axis in study.space.items()}
    content = api.Experiment(
        description=f"study {study.name}",
        time_created_secs=now_s,
        hparam_infos=[api.HParamInfo(name=name, type=kind) for name, kind in names.items()],
        metric_infos=[
            api.MetricInfo(name=api.MetricName(tag=tag), display_name=name) for tag, name in SCORES.items()
        ],
    )
    return _summary("EXPERIMENT_TAG", experiment=content)


def session_start(trial: TrialConfig, study: StudyConfig, key: TrialKey, now_s: float) -> PluginSummary:
    """A trial has started."""
    info = _plugin("plugin_data_pb2").SessionStartInfo(start_time_secs=now_s)
    for name, value in values(trial, study, key).items():
        if isinstance(value, bool):
            info.hparams[name].bool_value = value
        elif isinstance(value, str):
            info.hparams[name].string_value = value
        else:
            info.hparams[name].number_value = value
    return _summary("SESSION_START_INFO_TAG", session_start_info=info)


def session_end(status: str, now_s: float) -> PluginSummary:
    """A trial has ended. The page knows success (`finished`) and failure (`failed`); `raced` is shown as
    unknown.
    """
    api = _plugin("api_pb2")
    known = {"finished": api.STATUS_SUCCESS, "failed": api.STATUS_FAILURE}
    info = _plugin("plugin_data_pb2").SessionEndInfo(
        status=known.get(status, api.STATUS_UNKNOWN), end_time_secs=now_s
    )
    return _summary("SESSION_END_INFO_TAG", session_end_info=info)


def _summary(tag: str, **content: Any) -> PluginSummary:
    metadata = _plugin("metadata")
    return getattr(metadata, tag), metadata.create_summary_metadata(
        _plugin("plugin_data_pb2").HParamsPluginData(**content)
    )


def _plugin(name: str) -> Any:
    """A module of the plugin; no checker can see the types of its protocol buffers."""
    return import_module(f"tensorboard.plugins.hparams.{name}")


def _type(axis: dict[str, Any]) -> int:
    """The page's type for the values of one searched setting."""
    api, choices = _plugin("api_pb2"), axis.get("choices", [0.0])
    kinds = ((bool, api.DATA_TYPE_BOOL), (int | float, api.DATA_TYPE_FLOAT64))
    return next(
        (code for kind, code in kinds if all(isinstance(each, kind) for each in choices)),
        api.DATA_TYPE_STRING,
    )
