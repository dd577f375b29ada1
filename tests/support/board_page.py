"""TensorBoard as people see it: served on the loopback, opened in a headless Chromium."""

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DEADLINE_S = 240
WORDS = """
const found = [];
const walk = node => {
  if (node.nodeType === Node.TEXT_NODE && node.textContent.trim()) found.push(node.textContent.trim());
  if (node.nodeName === 'STYLE' || node.nodeName === 'SCRIPT') return;
  if (node.shadowRoot) node.shadowRoot.childNodes.forEach(walk);
  node.childNodes.forEach(walk);
};
walk(document.body);
return found;
"""
PICTURES = """
const found = [];
const walk = node => {
  if (node.nodeName === 'IMG') found.push([node.src, node.complete, node.naturalWidth, node.naturalHeight]);
  if (node.shadowRoot) node.shadowRoot.childNodes.forEach(walk);
  node.childNodes.forEach(walk);
};
walk(document.body);
const parts = ['individualImage', 'imagemeta', '/images/'];
return found.filter(each => parts.some(part => each[0].includes(part)));
"""


def missing() -> str:
    """Why no page can be looked at here; nothing where one can."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed"
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"there is no {' and no '.join(lacking)} here" if lacking else ""


@contextmanager
def served(folder: Path, *, runs: int) -> Iterator[str]:
    """The address of a TensorBoard that has read so many runs."""
    command = [
        sys.executable,
        "-m",
        "tensorboard.main",
        "--logdir",
        str(folder),
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    process = subprocess.Popen([*command, "--reload_interval", "1"], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        address = next(
            found[0] for line in process.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+/", line))
        )
        eventually(lambda: len(asked(f"{address}data/runs")) >= runs)
        yield address
    finally:
        process.kill()
        process.communicate()


def asked(address: str) -> Any:
    """JSON from the server."""
    with urllib.request.urlopen(address, timeout=DEADLINE_S) as answer:
        return json.load(answer)


@contextmanager
def opened() -> Iterator[Any]:
    """A headless Chromium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1500,1400",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})  # pyright: ignore[reportArgumentType]
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def show(driver: Any, address: str, page: str) -> None:
    """Open one of its pages; a change after # alone would load nothing."""
    driver.get("about:blank")
    driver.get(f"{address}#{page}")


def words(driver: Any) -> list[str]:
    """All pieces of text of the page, those inside its components too."""
    return driver.execute_script(WORDS)


def pictures(driver: Any) -> list[tuple[str, bool, int, int]]:
    """Address, whether it is there, width and height of the images of a run."""
    return [tuple(each) for each in driver.execute_script(PICTURES)]


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until it does."""
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)
