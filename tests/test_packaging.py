"""What is shipped: the wheel holds all it needs, and the probe's image needs no server code."""

from __future__ import annotations

import compileall
import configparser
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

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
        "probe/py.typed",
        "collector/py.typed",
    } <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests/") for name in names)
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(unpacked)
    done = subprocess.run(
        [sys.executable, "-m", "probe", "config", "check"], cwd=unpacked, capture_output=True, text=True
    )
    assert done.stdout == "defaults: usable; 4 platforms, 20 endpoints\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as it would be published."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("reachwatch-*.whl")
    return wheel


@pytest.mark.slow
def test_an_index_would_take_the_wheel(built: Path) -> None:
    asked = [sys.executable, "-m", "twine", "check", "--strict", str(built)]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_installed_by_itself_the_agent_measures_and_brings_no_server(built: Path, tmp_path: Path) -> None:
    """What pipx does: a virtual environment of its own, and the commands from it."""
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    quiet = ["install", "--quiet", "--disable-pip-version-check"]
    pinned = ["--require-hashes", "-r", str(ROOT / "requirements-probe.txt")]
    subprocess.run([binaries / "pip", *quiet, *pinned], check=True, capture_output=True)
    subprocess.run([binaries / "pip", *quiet, "--no-index", built], check=True, capture_output=True)
    done = subprocess.run([binaries / "reachwatch-probe", "config", "check"], capture_output=True, text=True)
    assert done.stdout == "defaults: usable; 4 platforms, 20 endpoints\n"
    refused = subprocess.run([binaries / "reachwatch-collector", "--version"], capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr == (
        "reachwatch-collector: needs more than the agent does: pip install 'reachwatch[collector]'\n"
    )


COMPLETE = """
source /dev/stdin
COMP_WORDS=({words} "{last}"); COMP_CWORD={at}
complete -p {command} | grep -o -- '-F [^ ]*' | (read _ function; $function; echo "${{COMPREPLY[@]}}")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "words", "last", "offered"),
    [
        ("probe", "reachwatch-probe", "hist", "history"),
        ("probe", "reachwatch-probe run", "--no-up", "--no-upload"),
        ("collector", "reachwatch-collector", "ver", "verify"),
    ],
)
def test_a_shell_completes_commands_and_flags(module: str, words: str, last: str, offered: str) -> None:
    script = subprocess.run(
        [sys.executable, "-m", module, "completion", "bash"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    command = words.split()[0]
    asked = COMPLETE.format(words=words, last=last, at=len(words.split()), command=command)
    done = subprocess.run(["bash", "-c", asked], input=script, capture_output=True, text=True)
    assert done.stdout.split() == [offered], done.stderr


# What Python's Alpine image takes by itself, as far as is known here, in MB; no engine is at hand to ask.
BASE_MB = 50
# What is compiled of its standard library: of 3.11's it is 11 MB.
COMPILED_MB = 12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "requirements"), [("probe", "requirements-probe.txt"), ("collector", "requirements.txt")]
)
def test_an_image_needs_no_compiler_and_stays_under_150_mb(
    target: str, requirements: str, tmp_path: Path
) -> None:
    platforms = [f"--platform=musllinux_1_{minor}_x86_64" for minor in (2, 1)]
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--only-binary", ":all:", *platforms, "--python-version=3.13"),
            *("--target", str(tmp_path), "-r", str(ROOT / requirements)),
        ],
        check=True,
        capture_output=True,
    )
    for source, place in copied(target):
        if source.endswith("/"):
            shutil.copytree(ROOT / source, tmp_path / "app" / place)
    compileall.compile_dir(tmp_path, quiet=1)
    size = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert size / 1e6 + BASE_MB + COMPILED_MB < 150


def test_an_image_compiles_its_standard_library() -> None:
    """Python's own images ship it without .pyc, and a read-only root keeps none."""
    base = (ROOT / "Dockerfile").read_text().split("AS base\n")[1].split("\nFROM ")[0]
    assert re.search(r"^RUN python -m compileall .* /usr/local/lib/python3\.13$", base, re.MULTILINE)


def test_the_compose_file_hardens_all_and_refers_to_what_is_there() -> None:
    composed = yaml.safe_load((ROOT / "compose.yaml").read_text())
    for name, service in composed["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in composed["volumes"] or (ROOT / source).exists(), volume
    assert composed["networks"]["default"]["enable_ipv6"], "homes keep their addresses"
    assert composed["services"]["collector"]["ports"] == ["8460:8460"], "metrics stay inside"
    assert "AS collector\n" in (ROOT / "Dockerfile").read_text()


UNITS = ROOT / "configs" / "systemd"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs Debian's systemd")
@pytest.mark.parametrize("unit", ["reachwatch-probe", "reachwatch-collector"])
@pytest.mark.parametrize("with_drop_ins", [False, True])
def test_a_unit_exposes_little(unit: str, with_drop_ins: bool, tmp_path: Path) -> None:
    shutil.copy(UNITS / f"{unit}.service", tmp_path)
    if with_drop_ins and (UNITS / f"{unit}.service.d").exists():
        shutil.copytree(UNITS / f"{unit}.service.d", tmp_path / f"{unit}.service.d")
    asked = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(tmp_path / f"{unit}.service")]
    said = subprocess.run(asked, capture_output=True, text=True).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found, said
    assert float(found[1]) <= 2.0


@pytest.mark.parametrize("unit", ["reachwatch-probe", "reachwatch-collector"])
def test_a_unit_starts_a_command_that_there_is(unit: str) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / f"{unit}.service")
    binary, command, *flags = parser["Service"]["ExecStart"].split()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert Path(binary).name in scripts
    package = scripts[Path(binary).name].split(".")[0]
    done = subprocess.run(
        [sys.executable, "-m", package, command, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert all(flag in done.stdout for flag in flags if flag.startswith("--"))
    name, handed = parser["Service"]["LoadCredential"].split(":")
    assert flags == ["--config", f"%d/{name}"]
    assert handed == f"/etc/reachwatch/{name}"
    assert (ROOT / "configs" / name).exists()


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
    assert {source for source, _ in copied("probe")} == {"probe/", "configs/probe.toml", "configs/platforms/"}
    assert copied("probe-packages") == [("requirements-probe.txt", ".")]


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
