"""What looks like a place and is none is refused before a folder of that name is made; so is a password."""

import os
from pathlib import Path

import pytest

from raysernas.config.fault import Fault, without_secrets
from raysernas.config.files import assign, load
from raysernas.config.schema import Config
from raysernas.record import storage
from raysernas.record.files import cache_text
from tests.support.faults import refusal, told

URI = "a folder, or a URI such as s3://bucket/prefix"
MISTAKES = {  # text -> what is wrong, and the fix
    "s3:/bucket": ("lacks a slash of a URI", "write s3://bucket"),
    "S3:bucket/x": ("lacks a slash of a URI", "write S3://bucket/x"),
    "gs:bucket": ("lacks a slash of a URI", "write gs://bucket"),
    "C:/Users/x": ("lacks a slash of a URI", "write /Users/x or ./C:/Users/x"),
    "file:/x": ("lacks a slash of a URI", "write /x or ./file:/x"),
    "file://x": ("is no absolute path", "write the path without file://, or all of it, as in file:///data"),
    "$HOME/x": ("has $HOME in it, which no shell has filled in", "write the folder itself"),
    "/scratch/$USER": ("has $USER in it, which no shell has filled in", "write the folder itself"),
    "$(pwd)/x": ("has $(pwd) in it, which no shell has filled in", "write the folder itself"),
    "~nobody_at_all/x": ("names a home folder that is not there", "write the folder itself"),
    " s3://bucket": ("has a URI inside it", "write the URI alone, without spaces before it"),
    "results/s3://bucket": ("has a URI inside it", "write the URI alone, without spaces before it"),
    "s3://": ("names no bucket", "write s3://bucket/prefix"),
    "s3:///bucket": ("names no bucket", "write s3://bucket/prefix"),
    os.fsdecode(b"a\xff"): (
        "has a byte in it that is no UTF-8, so it cannot be written down",
        "rename the folder",
    ),
    "a\0b": ("has a zero byte in it", "take it out"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistaken_place_is_refused_and_makes_no_folder(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    what, fix = MISTAKES[text]
    assert refusal(lambda: storage.place(text)) == told(f"{text!r} {what}", text, URI, fix, where="storage")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["./s3:/x", "run:1/x", "a b:c", "price$", "100$/x", "x ~/y", "12:30"])
def test_an_odd_name_is_still_a_folder(text: str) -> None:
    assert storage.place(text) == Path(text).absolute()


@pytest.mark.parametrize("text", ["hdfs://host/x", "github://x", "zip://x", "ftp://127.0.0.1:1/x"])
def test_a_store_that_cannot_be_opened_is_a_fault_whatever_its_library_raises(text: str) -> None:
    assert refusal(lambda: storage.place(text)).startswith(f"storage: {text} cannot be reached\n")


@pytest.mark.parametrize(
    "text",
    [
        "s3://AKIA:hush@bucket/x",
        "s3://AKIA:hu/sh+hush@bucket/x",
        "s3://hush@bucket/x",
        "https://me:hush@host/x",
        "s3://bucket/x?secret=hush",
        "az://c/x?sv=1&sig=hush",
    ],
)
def test_a_password_is_refused_and_never_shown(text: str) -> None:
    for act in (
        lambda: storage.place(text),
        lambda: load(None, [f"study.cache={text}"]),
        lambda: load(None, [f"study={text}"]),
        lambda: load(None, [f"study.resources.cpus={text}"]),
        lambda: load(text),
    ):
        fault = refusal(act)
        assert "hush" not in fault
        assert "***" in fault


def test_what_holds_no_password_is_shown_whole() -> None:
    for text in ("s3://bucket/a@b", "abfs://box@account.net/x", "https://arxiv.org/abs/1806.09055", "a:b@c"):
        assert without_secrets(text) == text


def test_a_fault_hides_a_password_in_each_of_its_parts() -> None:
    fault = Fault("x", "s3://a:hush@b", got="gs://hush@b", expected="s3://a:hush@b", fix="ftp://a:hush@b")
    assert "hush" not in f"{fault}{fault.what}"


def test_the_folder_of_the_cache_is_a_place_too() -> None:
    assert "has $HOME in it" in refusal(lambda: cache_text(assign(Config(), {"study.cache": "$HOME/x"})))
