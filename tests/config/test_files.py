"""Configuration files: strict reading, every refusal word by word, and the way back to YAML."""

import math
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raysernas.config.arms import ARMS
from raysernas.config.files import assign, find, load, shipped, show, trial_from
from raysernas.config.identity import SECTIONS, flatten, trial_config
from raysernas.config.rules import FEWEST_RANKED
from raysernas.config.schema import Config, TrialConfig
from raysernas.config.setting import MOST, Setting, declared
from tests.support.faults import refusal, told

GOLDEN = Path(__file__).parents[1] / "golden" / "defaults.yaml"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], str]:
    """A YAML file of this content; its path."""

    def written(content: str | bytes) -> str:
        path = tmp_path / "study of mine.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return written


def test_the_defaults_are_the_golden_file() -> None:
    """A changed default must be seen: rewrite the golden file with `show(Config())` when it is meant."""
    assert show(Config()) == GOLDEN.read_text(encoding="utf-8")


def test_without_a_file_there_are_the_defaults() -> None:
    assert load() == Config()


def test_overrides_win_over_the_file_and_the_file_over_the_defaults(write: Callable[[str], str]) -> None:
    name = write("study: {name: mine, seeds: [1, 2]}\nsearch: {epochs: 5, batch: 8}")
    config = load(name, ["search.epochs=6", "study.seeds=[3]", "search.epochs=7"])
    assert (config.study.name, config.study.seeds, config.search.epochs, config.search.batch) == (
        "mine",
        (3,),
        7,
        8,
    )
    assert config.search.alphas_lr == Config().search.alphas_lr


def test_a_space_given_later_replaces_the_earlier_one_whole(write: Callable[[str], str]) -> None:
    name = write(
        "study: {space: {search.alphas_lr: {low: 1e-4, high: 1e-2, log: true}, network.channels: {choices: "
        "[8, 16]}}}"
    )
    assert set(load(name).study.space) == {"search.alphas_lr", "network.channels"}
    assert load(name, ["study.space={network.channels: {low: 4, high: 8}}"]).study.space == {
        "network.channels": {"low": 4, "high": 8}
    }
    assert load(name, ["study.space={}"]).study.space == {}


def test_an_empty_file_changes_nothing(write: Callable[[str], str]) -> None:
    assert load(write("# nothing yet\n")) == Config()


def test_numbers_in_scientific_notation_are_numbers() -> None:
    assert load(None, ["search.alphas_lr=1e-3"]).search.alphas_lr == 1e-3


def test_a_whole_number_is_good_enough_for_a_number() -> None:
    lr = load(None, ["search.alphas_lr=1"]).search.alphas_lr
    assert (lr, type(lr)) == (1.0, float)


@pytest.mark.parametrize(
    ("content", "override"),
    [
        ("search: {weight_lr: 1}", "search.weight_lr=1"),
        ("search: {epochs: 2.5}", "search.epochs=2.5"),
        ("search: {epochs: true}", "search.epochs=true"),
        ("search: {epochs: -1}", "search.epochs=-1"),
        ("search: 5", "search=5"),
        ("retrain: {seeds: [0, a]}", "retrain.seeds=[0, a]"),
        ("features: {kind: fbank}", "features.kind=fbank"),
        ("features: {kind: '${x}'}", "features.kind=${x}"),
        ("study: {space: {search.x: {low: 1, high: 2}}}", "study.space={search.x: {low: 1, high: 2}}"),
    ],
)
def test_a_file_is_as_strict_as_an_override(content: str, override: str, write: Callable[[str], str]) -> None:
    assert refusal(lambda: load(write(content))) == refusal(lambda: load(None, [override]))


FILES = {  # content -> the text of its refusal, PATH for where it lies
    "- 1\n- 2": told(
        "this is no configuration",
        "[1, 2], a list",
        "a mapping of settings",
        "write sections and settings, as in configs/laptop.yaml",
    ),
    "5": told(
        "this is no configuration",
        "5, a whole number",
        "a mapping of settings",
        "write sections and settings, as in configs/laptop.yaml",
    ),
    "search:\n\tepochs: 1": told(
        "PATH is not readable YAML",
        "found a tab where only spaces may stand (line 2, column 1)",
        "a YAML mapping of settings",
        "correct the file",
    ),
    "search: {epochs: 1}\n---\nsearch: {epochs: 2}": told(
        "PATH is not readable YAML",
        "found a second document (line 2, column 1)",
        "a YAML mapping of settings",
        "correct the file",
    ),
    "search: &all {epochs: 1}\nretrain: *all": told(
        "PATH is not readable YAML",
        "found an alias; write the value again (line 2, column 10)",
        "a YAML mapping of settings",
        "correct the file",
    ),
    "search.epochs: 5": told(
        "search.epochs is written as one key in a file",
        "search.epochs",
        "sections inside one another",
        "write search: {epochs: ...}",
    ),
    "study: {racing: {on: true}}": told(
        "study.racing.on is now called study.racing.enabled",
        "study.racing.on",
        "one of study.racing.enabled, study.racing.pairs, study.racing.p, study.racing.looks",
        "write study.racing.enabled",
    ),
    "study: {name: ]": told(
        "PATH is not readable YAML",
        "did not find expected node content (line 1, column 15)",
        "a YAML mapping of settings",
        "correct the file",
    ),
    "search: {epochs: 1, epochs: 2}": told(
        "PATH is not readable YAML",
        "found duplicate key epochs (line 1, column 21)",
        "a YAML mapping of settings",
        "correct the file",
    ),
    b"\xff\xfe\x00": told(
        "PATH is not readable YAML",
        *(
            "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
            "a YAML mapping of settings",
            "correct the file",
        ),
    ),
    "search: ???": told(
        "search is a section", "'???', text", "a mapping of settings", "write search.epochs: ..."
    ),
    "1: 2": told("1 is not a setting", 1, f"one of study, {', '.join(SECTIONS)}", "correct or remove it"),
}


@pytest.mark.parametrize("content", FILES)
def test_a_wrong_file_is_refused_in_these_words(
    content: str | bytes, write: Callable[[str | bytes], str]
) -> None:
    name = write(content)
    assert refusal(lambda: load(name)) == FILES[content].replace("PATH", name)


@pytest.mark.parametrize(
    "content", ["!!python/object/apply:os.getcwd []", "study: !!python/name:os.system ''"]
)
def test_a_file_cannot_call_python(content: str, write: Callable[[str], str]) -> None:
    assert "tags are not supported" in refusal(lambda: load(write(content)))


def test_a_missing_file_is_refused_with_the_shipped_ones() -> None:
    known = ", ".join(sorted(path.stem for path in shipped().glob("*.yaml")))
    assert "laptop" in known
    assert refusal(lambda: load("no/such.yaml")) == told(
        "there is no configuration 'no/such.yaml'",
        "no/such.yaml",
        f"a YAML file, or one of: {known}",
        "check the path",
    )


@pytest.mark.parametrize("name", ["laptop", "laptop.yaml", "configs/laptop.yaml"])
def test_shipped_studies_are_found_from_any_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find(name) == shipped() / "laptop.yaml"


def test_the_users_file_wins_over_a_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("laptop.yaml").write_text("study: {name: mine}")
    assert load("laptop.yaml").study.name == "mine"


WORD = st.text(st.characters(codec="utf-8", exclude_characters="$"), max_size=12)
NAME = st.text(string.ascii_letters + string.digits + "äß_", min_size=1, max_size=12)


def values_of(key: str, setting: Setting) -> st.SearchStrategy[Any]:
    """Values that a setting takes."""
    kind = setting.kind
    if key == "study.name":
        return NAME
    if key in ("study.space", "study.points"):
        return st.just({})
    if key == "corpus.merge":
        return st.dictionaries(WORD, WORD, max_size=3)
    if key == "network.reductions":
        return st.lists(st.integers(0, 3), max_size=3, unique=True).map(tuple)
    if key == "search.warmup_epochs":
        return st.integers(0, 3)
    if key == "search.eigenvalue_every":
        return st.sampled_from([0, 1, 5])
    if kind is tuple:
        low, high = setting.entries
        numbers = st.integers(int(low), int(high)) if setting.entry.kind is int else st.floats(low, high)
        entry = values_of("", setting.entry) if setting.entry.kind is str else numbers
        return st.lists(entry, min_size=1, max_size=4, unique=True).map(tuple)
    if setting.below is not None:
        return st.floats(setting.least, setting.below, exclude_max=True)
    if kind is int:
        return st.integers(math.ceil(setting.least), MOST)
    if kind is float:
        return st.floats(setting.least, MOST)
    return st.booleans() if kind is bool else st.sampled_from(setting.one_of) if setting.one_of else WORD


def allowed(flat: dict[str, Any]) -> dict[str, Any]:
    """Speaker-dependent folds with the permission that they need; without what needs a varied sound, free
    cells, or frames of layers.
    """
    varied = any(flat.get(f"retrain.{name}") for name in ("speeds", "pitches_st", "noise_snr_db", "shift_s"))
    pretrained = flat.get("features.kind") == "pretrained"
    layered = pretrained or flat.get("features.kind") == "streams"
    unfit = {"retrain.versions": not varied, "retrain.drop_path": flat.get("network.cnn") == "ordered"}
    unfit |= {"network.layer": not layered, "features.pad": layered}
    flat = flat | ({"features.model": "folder"} if pretrained else {})
    flat = {key: value for key, value in flat.items() if not unfit.get(key)}
    dependent = flat.get("corpus.folds") == "random" or flat.get("corpus.valid") == "utterances"
    return flat | {"corpus.speaker_dependent": True} if dependent else flat


def fits_together(flat: dict[str, Any]) -> bool:
    """What is refused because of another setting."""
    whole = flatten(Config()) | flat
    merge = whole["corpus.merge"]
    if set(merge) & {*merge.values(), *whole["corpus.emotions"]}:
        return False
    if (whole["corpus.folds"] == "file") != bool(whole["corpus.fold_file"]):
        return False
    if (whole["corpus.folds"], whole["study.protocol"]) == ("speaker_text", "nested"):
        return False
    if whole["features.device"] == "cuda" and whole["features.backend"] == "librosa":
        return False
    if 0 < whole["checks.ranking"] < FEWEST_RANKED or whole["search.warmup_epochs"] >= whole["search.epochs"]:
        return False
    if whole["search.stop"] == "eigenvalue" and whole["search.eigenvalue_every"] != 1:
        return False
    if (
        whole["search.stop"] == "eigenvalue"
        and 2 * whole["search.stop_window"] > whole["search.epochs"] - whole["search.warmup_epochs"]
    ):
        return False
    if whole["compute.precision"] == "bf16" and whole["search.order"] != "first":
        return False
    if whole["search.difference_error"] and whole["search.order"] == "first":
        return False
    if whole["compute.precision"] == "bf16" and whole["search.order"] != "first":
        return False
    if whole["network.reductions"] and not set(whole["network.reductions"]) < set(
        range(min(whole["network.cells"], 99))
    ):
        return False
    if "valid_ua" not in whole["study.objectives"] or (
        whole["study.sampler"] == "nsga2" and whole["study.generation"] < 2
    ):
        return False
    if whole["study.racing.enabled"] and not can_race(whole):
        return False
    if whole["network.functionals"] and whole["features.functionals"] == "none":
        return False
    fits = (
        whole["features.kind"] not in ("mfcc", "streams")
        or whole["features.coefficients"] <= whole["features.bands"]
    )
    return fits and whole["search.weights_lr_min"] <= whole["search.weights_lr"]


def can_race(whole: dict[str, Any]) -> bool:
    folds, trials = len(whole["study.folds"]), len(whole["study.folds"]) * len(whole["study.seeds"])
    sees = whole["study.protocol"] == "flat" and tuple(whole["study.objectives"]) == ("valid_ua",)
    return (
        sees
        and 0 < whole["study.racing.p"] < 0.5
        and (not folds or whole["study.racing.pairs"] <= min(folds, trials - 1))
    )


VALUES = {key: values_of(key, setting) for key, setting in declared(Config).items()}
ANY = st.fixed_dictionaries({}, optional=VALUES).map(allowed).filter(fits_together)


@settings(max_examples=12)
@given(flat=ANY)
@example(flat={"corpus.emotions": ("\x85", "a\u2028b")})  # line breaks, to YAML
def test_what_is_shown_loads_to_the_same_configuration(
    flat: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = assign(
        Config(), {key: value for key, value in flat.items() if key not in ("study.space", "study.points")}
    )
    path = tmp_path_factory.mktemp("shown") / "study.yaml"
    path.write_text(show(config), encoding="utf-8", newline="")
    assert load(str(path)) == config


def test_a_shown_space_loads_to_the_same_space(write: Callable[[str], str]) -> None:
    config = load(
        "laptop",
        [
            "study.space={search.alphas_lr: {low: 1e-4, high: 1e-1, log: true}, features.kind: {choices: "
            "[logmel]}}"
        ],
    )
    again = load(write(show(config)))
    assert again == config
    assert list(again.study.space) == list(config.study.space)


@settings(max_examples=40)
@given(flat=ANY, arm=st.sampled_from(tuple(ARMS)), fold=st.integers(0, 99), seed=st.integers(0, MOST))
def test_a_trial_is_the_same_on_both_sides_of_the_process_border(
    flat: dict[str, Any], arm: Any, fold: int, seed: int
) -> None:
    values = {key: value for key, value in flat.items() if not key.startswith("study.")}
    trial = trial_config(assign(Config(), values), arm=arm, fold=fold, seed=seed)
    assert trial_from(flatten(trial)) == trial


def test_a_trial_of_wrong_types_does_not_cross_the_border() -> None:
    with pytest.raises(TypeError, match="not a trial"):
        trial_from(flatten(TrialConfig()) | {"fold": "0"})
    assert "retrain.epochs has the wrong type" in refusal(
        lambda: trial_from(flatten(TrialConfig()) | {"retrain.epochs": "9"})
    )


def test_assigning_touches_nothing_else() -> None:
    before = flatten(Config())
    after = flatten(assign(Config(), {"search.epochs": 7, "study.resources.cpus": 2}))
    assert {key for key in before if before[key] != after[key]} == {"search.epochs", "study.resources.cpus"}
