"""Laws of joining a cluster: every address that is none is said to be one, at once. Starts no Ray."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from raysernas.fleet import joining
from raysernas.fleet.joining import checked, join, located, refused
from tests.support.faults import refusal


@pytest.mark.parametrize(
    "address",
    [
        *("local", "localhost", "LOCAL", "head:", ":6379", "head:port", "head:65536"),
        *("head:6379 ", " auto", "head :6379", "http://head:8265", "head:6379/"),
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_tried(address: str) -> None:
    reason = refusal(lambda: checked(address))
    assert reason.startswith(f"cluster: study.resources.address is no address\n  got: {address!r}\n")
    assert "leave it empty to start Ray here" in reason


@pytest.mark.parametrize("address", ["auto", "head:6379", "127.0.0.1:6379", "[::1]:6379"])
def test_addresses_are_taken(address: str) -> None:
    assert checked(address) == address


def test_ray_client_is_refused() -> None:
    assert "launch on a node of the cluster" in refusal(lambda: join("ray://head:10001"))


def test_auto_is_what_ray_start_or_ray_job_submit_name_and_never_a_ray_of_another_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert "there is no Ray cluster on this machine" in refusal(lambda: located("auto"))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:6379\n")
    assert located("auto") == "127.0.0.1:6379"
    monkeypatch.setenv("RAY_ADDRESS", "head:6380")
    assert located("auto") == "head:6380"
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert "there is no Ray cluster on this machine" in refusal(lambda: located("auto"))


def test_no_other_user_can_read_the_token_of_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("secret")
    token.chmod(0o644)
    reason = refusal(lambda: join("127.0.0.1:1"))
    assert reason.startswith("cluster: Ray at 127.0.0.1:1 does not answer\n  got: ")
    assert token.stat().st_mode & 0o777 == 0o600


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of a server that answers one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def hang(connection: socket.socket) -> None:
    """Say nothing until the other side gives up."""
    while connection.recv(64):
        pass


def say(words: bytes) -> Callable[[socket.socket], object]:
    """Hear a little, and answer with these bytes."""

    def answer(connection: socket.socket) -> None:
        connection.recv(64)
        connection.sendall(words)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), id="web"),
        pytest.param(say(b"SSH-2.0-OpenSSH_9.6\r\n"), id="ssh"),
        pytest.param(say(b"-ERR\r\n"), id="redis"),
        pytest.param(say(b""), id="nothing"),
        pytest.param(hang, id="silence"),
    ],
)
def test_what_is_not_ray_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[socket.socket], object]
) -> None:
    monkeypatch.setattr(joining, "ANSWER_S", 0.2)
    with listening(answer) as address:
        reason = refusal(lambda: join(address))
    assert reason.startswith(f"cluster: {address} is not the address of a Ray cluster\n")


def test_a_server_of_http_2_may_be_ray() -> None:
    with listening(say(joining.PREFACE[-9:])) as address:
        joining.require_ray(address)


def test_a_wrong_token_and_another_version_have_words_of_their_own() -> None:
    token = refused("head:6379", RuntimeError("RPC error: InvalidAuthToken: Authentication token is missing"))
    assert "does not take this token" in str(token)
    assert "RAY_AUTH_TOKEN_PATH" in str(token)
    text = "Version mismatch: The cluster was started with:\n    Ray: 2.60.0\nThis process:\n    Ray: 2.59.0"
    version = str(refused("head:6379", RuntimeError(text)))
    assert "is of another version" in version
    assert "Ray: 2.60.0; This process:; Ray: 2.59.0" in version
