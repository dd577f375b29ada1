"""Joining a running Ray cluster: whatever is wrong with an address is said within seconds.

In: `study.resources.address`. Out: this process is a driver of that cluster, or a Fault. Ray itself would try
for minutes, and take a private Ray of somebody else for a cluster.
"""

import logging
import os
import socket
from importlib import import_module
from pathlib import Path
from typing import Any

from raysernas.config.fault import Fault

ANSWER_S = 5.0  # timeout of a connection
# HTTP/2 as in RFC 9113: what a client says first, the same as a frame of settings; and the type of that frame
PREFACE, SETTINGS = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 4
NO_RAY = "what listens there is something else"
BAD_TOKEN = ("RAY_AUTH_TOKEN", "InvalidAuthToken", "Unauthenticated", "authentication token was found")


def join(address: str) -> None:
    """Become a driver of the cluster at an address.

    Raises:
        Fault: when that cannot be.
    """
    import ray
    from ray.exceptions import RayError

    place = located(address)
    _close_token()
    try:
        require_ray(place)
        _require_token(place)
        ray.init(address=place, log_to_driver=False, logging_level=logging.CRITICAL)
    except (OSError, RuntimeError, RayError) as error:
        raise refused(address, error) from error


def located(address: str) -> str:
    """HOST:PORT of an address. `auto` is RAY_ADDRESS, which `ray job submit` sets, or else what `ray start`
    has written down on this machine. A Ray without `ray start` belongs to the program that has started it.
    """
    if checked(address) != "auto":
        return address
    from ray._private.utils import read_ray_address

    found = os.environ.get("RAY_ADDRESS", "").strip() or read_ray_address() or "auto"
    if checked(found) != "auto":
        return found
    raise Fault(
        "cluster",
        "there is no Ray cluster on this machine",
        got="study.resources.address=auto",
        expected="a Ray that `ray start` has started here, or RAY_ADDRESS",
        fix="start one, set study.resources.address to HOST:PORT, or leave it empty to run here",
    )


def checked(address: str) -> str:
    """An address, if it may be one of a cluster's head.

    Raises:
        Fault: when it may not.
    """
    if address == "auto":
        return address
    host, _, port = address.rpartition(":")
    if address.startswith("ray://"):
        what, fix = "a study cannot run through Ray Client", "launch on a node of the cluster"
        fix += ": `ray job submit -- python -m raysernas.launch ...`"
    elif not host or "/" in host or set(address) & set(" \t\n") or not port.isdecimal() or int(port) > 65535:
        what, fix = "study.resources.address is no address", "leave it empty to start Ray here"
    else:
        return address
    raise Fault("cluster", what, got=repr(address), expected="auto, or HOST:PORT of a head", fix=fix)


def require_ray(place: str) -> None:
    """Check that something at HOST:PORT answers, and speaks HTTP/2, as Ray does.

    Raises:
        OSError: when it does not.
    """
    host, _, port = place.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S) as connection:
        connection.sendall(PREFACE)
        try:
            answer = connection.recv(9)
        except TimeoutError:
            answer = b""
    if len(answer) < 9 or answer[3] != SETTINGS:
        raise ConnectionError(NO_RAY)


def _require_token(place: str) -> None:
    """Ask for anything that needs the token: Ray itself would try for 20 s with a wrong one, and crash the
    process without one.
    """
    setup: Any = import_module("ray._private.authentication.authentication_token_setup")
    setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    setup.ensure_token_if_auth_enabled(create_token_if_missing=False)
    client: Any = import_module("ray._raylet").GcsClient(address=place)
    client.internal_kv_get(b"none", b"none", timeout=ANSWER_S)


def refused(address: str, error: Exception) -> Fault:
    """The Fault of a cluster that could not be joined."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    got = lines[0].partition(". ")[0]
    what, expected = f"Ray at {address} does not answer", "a running Ray cluster"
    fix = "check study.resources.address, or leave it empty to run here"
    if any(sign in str(error) for sign in BAD_TOKEN):
        what, expected = f"Ray at {address} does not take this token", "the token of that cluster"
        fix = "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to the file of the cluster's token"
    elif "ersion mismatch" in str(error):
        what, got = f"Ray at {address} is of another version", "; ".join(lines)
        expected = "the same Ray and Python on every machine"
        fix = "install them here, or launch on a node: `ray job submit -- python -m raysernas.launch ...`"
    elif NO_RAY in got:
        what = f"{address} is not the address of a Ray cluster"
    return Fault("cluster", what, got=got, expected=expected, fix=fix)


def _close_token() -> None:
    """Ray leaves the file of its token readable for everybody."""
    token = Path(os.path.expanduser("~"), ".ray", "auth_token")  # there may be no home
    if token.is_file() and token.stat().st_uid == os.getuid() and token.stat().st_mode & 0o077:
        token.chmod(0o600)
