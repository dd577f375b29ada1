"""The folder of a pretrained model: where it lies, and the hash of what is in it.

`features.model` is a folder, a bucket, or a name on the Hugging Face hub, with `@REVISION` if wanted. A name
is fetched once, when a study is planned; trials read local files only. Weights are safetensors, so nothing is
unpickled. The hash is part of every digest; where the folder lies is not.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from raysernas.config.fault import Fault
from raysernas.corpora import fetched
from raysernas.record.files import STATE

HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(@[\w.-]+)?")
PATTERNS = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")
READ = 1 << 22  # bytes at a time


def import_transformers() -> Any:
    """transformers, or a Fault that says how to get it."""
    try:
        import transformers
    except ImportError as error:
        raise Fault(
            "features",
            "features.kind=pretrained needs a library that is not installed",
            got=str(error).splitlines()[0],
            expected="transformers and safetensors",
            fix="pip install 'raysernas[pretrained]', or set features.kind=logmel",
        ) from error
    transformers.utils.logging.set_verbosity_error()  # what matters is raised
    transformers.utils.logging.disable_progress_bar()
    return transformers


def local(model: str, cache: Path | None, *, fetch: bool = False) -> Path:
    """The folder on this machine.

    Args:
        cache: where a bucket is copied to, if not to the state folder of this machine.
        fetch: whether a name on the hub may be fetched.

    Raises:
        Fault: for a model that is not set, not there, or cannot be fetched.
    """
    if not model:
        raise _missing(model, "features.model is not set")
    if "://" in model:
        return fetched.local(model, cache or STATE)
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if HUB_NAME.fullmatch(model) and fetch:
        return _from_hub(model)
    raise _missing(model, f"there is no folder {model}")


def fingerprint(folder: Path) -> str:
    """Hash over the names and the contents of all files that the model is read from.

    Raises:
        Fault: when configuration, preprocessor or weights are missing.
    """
    files = sorted({file for pattern in PATTERNS for file in folder.glob(pattern)})
    names = [file.name for file in files]
    wanted = {"config.json": "its configuration", "preprocessor_config.json": "its preprocessor"}
    missing = [f"{what} ({name})" for name, what in wanted.items() if name not in names]
    if not any(name.endswith(".safetensors") for name in names):
        missing.append("weights (*.safetensors)")
    if missing:
        raise Fault(
            "features",
            f"{folder} is no whole model: {' and '.join(missing)} missing",
            got=", ".join(names) or "none of its files",
            expected="config.json, preprocessor_config.json and *.safetensors",
            fix="bring the missing files; weights in *.bin have to be saved as safetensors first",
        )
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(READ):
                found.update(chunk)
    return found.hexdigest()[:16]


def _from_hub(model: str) -> Path:
    import_transformers()
    from huggingface_hub import snapshot_download

    name, _, revision = model.partition("@")
    try:
        found = snapshot_download(name, revision=revision or None, allow_patterns=list(PATTERNS))
    except Exception as error:  # the hub has errors of many libraries; all mean that there is no folder
        raise _missing(model, f"{name} cannot be fetched from the Hugging Face hub", error) from error
    return Path(found)


def _missing(model: str, what: str, error: Exception | None = None) -> Fault:
    reason = f": {type(error).__name__}, {str(error).splitlines()[0][:120]}" if error and str(error) else ""
    return Fault(
        "features",
        what,
        got=f"{model!r}{reason}",
        expected="a name on the hub, or a folder with config.json, preprocessor_config.json, *.safetensors",
        fix="set features.model=FOLDER; without network, run 'hf download NAME' where there is one and bring "
        "the folder",
    )
