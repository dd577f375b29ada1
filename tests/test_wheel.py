"""A built wheel is enough: the shipped studies travel with it and are found from any folder."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from raysernas.config.files import shipped

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.slow


def python(*arguments: str | Path, cwd: Path, path: Path | None = None) -> str:
    """What a fresh Python prints."""
    environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    run = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built here, without a network."""
    target = tmp_path_factory.mktemp("wheel")
    python("-m", "hatchling", "build", "-t", "wheel", "-d", target, cwd=ROOT)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that it was unpacked to."""
    site = tmp_path_factory.mktemp("a site")
    python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel, cwd=site)
    return site


def test_the_wheel_carries_the_product_and_the_studies_and_no_tests(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"raysernas", "analysis"}
    carried = {Path(name).name for name in names if name.startswith("raysernas/configs/")}
    assert carried == {path.name for path in shipped().iterdir()}
    assert {"raysernas/py.typed", "analysis/py.typed"} <= set(names)
    modules = {name for name in names if name.endswith(".py")}
    assert modules == {
        path.relative_to(ROOT).as_posix()
        for wing in ("raysernas", "analysis")
        for path in (ROOT / wing).rglob("*.py")
    }


def test_an_installed_wheel_finds_its_studies_from_any_folder(installed: Path, tmp_path: Path) -> None:
    code = (
        "import raysernas.config.files as c; print(c.find('laptop')); "
        "print(c.load('configs/laptop.yaml').study.name)"
    )
    found, name = python("-c", code, cwd=tmp_path, path=installed).splitlines()
    assert Path(found) == installed / "raysernas" / "configs" / "laptop.yaml"
    assert name == "laptop"


def test_an_installed_wheel_has_its_doors(installed: Path, tmp_path: Path) -> None:
    for door in ("raysernas.launch", "analysis"):
        assert python("-m", door, "--help", cwd=tmp_path, path=installed).startswith(
            f"usage: python -m {door}"
        )
    script = installed / "bin" / "raysernas"
    assert python(script, "--version", cwd=tmp_path, path=installed).startswith("raysernas ")
    assert python(script, "analysis", "--help", cwd=tmp_path, path=installed).startswith("usage: python -m")
