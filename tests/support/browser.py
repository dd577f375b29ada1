"""A headless Chromium for tests of pages, and axe-core to judge their accessibility; both from outside the
repository.

Chromium and its driver are the system's (Debian: chromium, chromium-driver); axe-core is fetched by npm into
a temporary folder. Where one of them is missing, the tests that need it are skipped and say so.
"""

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

AXE = "axe-core@4"
FETCH_S = 120


@contextmanager
def chromium() -> Iterator[Any]:
    """A driver of selenium without a window, that keeps the messages of the console."""
    webdriver = pytest.importorskip("selenium.webdriver")
    found = next(
        (name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None
    )
    driver = shutil.which("chromedriver")
    if found is None or driver is None:
        pytest.skip("no Chromium with its driver here (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which(found))
    for switch in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield browser
    finally:
        browser.quit()


def look(browser: Any, page: Path, *, width: int, dark: bool = False, fragment: str = "") -> None:
    """Open a page at a width in CSS pixels, in the light or the dark."""
    size = {
        "width": width,
        "height": 844 if width < 600 else 900,
        "deviceScaleFactor": 1,
        "mobile": width < 600,
    }
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    still = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})
    browser.get("about:blank")
    browser.get(page.as_uri() + fragment)


def axe(folder: Path) -> str:
    """The script of axe-core."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here to fetch axe-core with")
    run = subprocess.run(
        [npm, "pack", "--silent", AXE],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=FETCH_S,
        check=False,
    )
    packed = list(folder.glob("axe-core-*.tgz"))
    if run.returncode or not packed:
        pytest.skip(f"axe-core cannot be fetched: {run.stderr.strip().splitlines()[-1:]}")
    with tarfile.open(packed[0]) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()
