"""What is shipped: the wheel holds all it needs, and the probe's image needs no server code."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_holds_configuration_page_and_licence(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("reachwatch-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if "configs/" in name} == {
        "probe/configs/probe.toml",
        *(f"probe/configs/platforms/{path.name}" for path in (ROOT / "configs" / "platforms").iterdir()),
    }, "what operators set up is no volunteer's"
    assert {
        "collector/web/static/style.css",
        "collector/web/static/live.js",
        "collector/web/static/icon.svg",
        "collector/web/templates/base.html",
        "collector/web/templates/incident.svg",
        "collector/text/en.toml",
        "collector/web/detection.md",
        "probe/wire/codec.py",
    } <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests/") for name in names)
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(unpacked)
    done = subprocess.run(
        [sys.executable, "-m", "probe", "config", "check"], cwd=unpacked, capture_output=True, text=True
    )
    assert done.stdout == "defaults: usable; 4 platforms, 20 endpoints\n"


def copied(target: str) -> list[tuple[str, str]]:
    """What a Dockerfile target copies out of the checkout."""
    text = (ROOT / "Dockerfile").read_text()
    stage = text.split(f"AS {target}\n")[1].split("\nFROM ")[0]
    return [(source, place) for source, place in re.findall(r"^COPY (\S+) (\S+)$", stage, re.MULTILINE)]


@pytest.mark.parametrize("target", ["probe", "collector"])
def test_what_an_image_copies_is_enough_to_run(target: str, tmp_path: Path) -> None:
    for source, place in copied(target):
        if source.endswith("/"):
            shutil.copytree(ROOT / source, tmp_path / place)
        else:
            folder = tmp_path / place
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, folder)
    done = subprocess.run(
        [sys.executable, "-m", target, "config", "check"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.startswith("defaults: usable"), done.stderr
    if target == "collector":
        asked = [sys.executable, "-m", target, "import", "ooni", "/dev/null"]
        read = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True)
        assert "0 read" in read.stderr, "the platforms are there"
        code = "from collector.web.pages.measured import measured; print(len(measured().targets))"
        known = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert int(known.stdout) > 5, "the method's figures are there"


def test_the_probes_image_holds_the_probe_and_its_configuration_alone() -> None:
    assert {source for source, _ in copied("probe")} == {
        "requirements-probe.txt", "probe/", "configs/probe.toml", "configs/platforms/"
    }  # fmt: skip


def test_every_requirement_is_pinned_by_hash_and_none_by_address() -> None:
    for name in ("requirements.txt", "requirements-probe.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert all("--hash=sha256:" in block for block in re.split(r"\n(?=[a-z])", text.strip()))


def test_the_agent_brings_no_server() -> None:
    packages = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-probe.txt").read_text(), re.MULTILINE)
    assert not {"aiohttp", "prometheus-client", "scapy", "zstandard"} & set(packages)


def test_the_agent_starts_without_the_server_and_scapy() -> None:
    """Memory on a small machine is imports."""
    code = "import probe.agent, sys; print({'aiohttp', 'scapy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
