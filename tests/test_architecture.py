"""The arrows between rooms, held by reading the source: who may import whom, and what is pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What decides: no I/O, no clock, no chance, no process state.
PURE = (
    "probe.wire",
    "probe.verdict",
    "probe.schedule",
    "probe.backoff",
    "probe.outcome",
    "probe.pace",
    "probe.packets",
    "probe.routes",
    "collector.alerts.feeds",
    "collector.alerts.retries",
    "collector.alerts.signing",
    "collector.detect",
    "collector.foreign.blurred",
    "collector.foreign.exported",
    "collector.foreign.failures",
    "collector.foreign.form",
    "collector.foreign.ooni",
    "collector.foreign.suppose",
    "collector.foreign.written",
    "collector.forwarded",
    "collector.ingest.admit",
    "collector.ingest.judging",
    "collector.ingest.place",
    "collector.limit",
    "collector.snapshot",
    "collector.store.packing",
    "collector.tokens",
    "collector.web.api.asked",
    "collector.web.api.document",
    "collector.web.api.forms",
    "collector.web.api.incidents",
    "collector.web.api.models",
    "collector.web.api.series",
    "collector.web.api.state",
    "collector.web.ledger",
    "collector.web.pages.chart",
    "collector.web.pages.embed",
    "collector.web.pages.history",
    "collector.web.pages.now",
    "collector.web.pages.plot",
    "collector.web.pages.preview",
)
IMPURE = {
    "aiohttp", "asyncio", "logging", "os", "pathlib", "random", "secrets", "socket",
    "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time",
}  # fmt: skip
IMPURE_CALLS = {"open", "print", "input", "datetime.now", "datetime.today", "datetime.utcnow"}

# A package may import these of ours, and nothing else of ours.
ALLOWED = {
    "probe.wire": ("probe.wire",),
    "probe.verdict": ("probe.verdict", "probe.wire"),
    "probe": ("probe",),
    "collector.detect": ("collector.detect", "probe.wire", "probe.verdict"),
    "collector": ("collector", "probe.wire", "probe.verdict"),
}
BANNED_CALLS = {"asyncio.create_task", "asyncio.ensure_future"}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "common", "misc", "manager"}
HELPER = "probe.capture_helper"
AGENT_NEVER = {"aiohttp", "prometheus_client", "maxminddb", "dns"}  # the agent must fit a small machine


def below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def complaints(module: str, source: str, *, is_package: bool = False) -> Iterator[str]:
    """Everything in one module's source that breaks an arrow."""
    tree = ast.parse(source)
    if not ast.get_docstring(tree):
        yield f"{module}:1: opens without saying what it is for"
    allowed = next(ALLOWED[package] for package in ALLOWED if below(module, package))
    pure = any(below(module, package) for package in PURE)
    top_level = {id(node) for node in tree.body}
    for_types = {id(inner) for node in tree.body if is_type_checking(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        where = f"{module}:{getattr(node, 'lineno', 1)}"
        for name in imports(node, module, is_package):
            root = name.partition(".")[0]
            if root in ("probe", "collector") and not any(below(name, a) for a in allowed):
                yield f"{where}: imports {name}, and may know {', '.join(allowed)} alone"
            if pure and root in IMPURE and id(node) not in for_types:
                yield f"{where}: is pure and imports {name}"
            if below(module, "probe") and root in AGENT_NEVER:
                yield f"{where}: the agent imports {name}"
            if root == "scapy" and module != HELPER:
                yield f"{where}: scapy stays in its own process, behind probe.capture"
            if below(name, HELPER):
                yield f"{where}: {HELPER} is run in its own process and never imported"
            if below(module, "probe.wire") and root == "pydantic" and id(node) in top_level:
                yield f"{where}: pydantic is imported where a decode needs it, not by the agent"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in BANNED_CALLS:
                yield f"{where}: {called}: tasks live in a TaskGroup"
            if pure and called in IMPURE_CALLS:
                yield f"{where}: is pure and calls {called}()"


def is_type_checking(node: ast.AST) -> bool:
    """``if TYPE_CHECKING:``: what is in it never runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(node: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """The modules a node imports, type-checking ones included, in full."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = module.split(".")
        base = parts[: len(parts) - node.level + is_package] if node.level else []
        whole = ".".join([*base, *([node.module] if node.module else [])])
        if whole in ("probe", "collector"):
            yield from (f"{whole}.{alias.name}" for alias in node.names)
        else:
            yield whole


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted([*ROOT.glob("probe/**/*.py"), *ROOT.glob("collector/**/*.py")]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=[m for m, _ in modules()])
def test_no_module_breaks_an_arrow(module: str, path: Path) -> None:
    found = list(complaints(module, path.read_text(), is_package=path.name == "__init__.py"))
    assert found == []
    assert not NAMES_THAT_SAY_NOTHING & set(module.split("."))


BROKEN = [
    ("probe.net", "import collector.app", "imports collector.app"),
    ("collector.app", "from probe import net", "imports probe.net"),
    ("collector.app", "from probe.spool import Spool", "imports probe.spool"),
    ("probe.wire.stage", "from probe.verdict import judge", "imports probe.verdict"),
    ("probe.wire.stage", "from ..net import Net", "imports probe.net"),
    ("probe.verdict.rules", "from probe import config", "imports probe.config"),
    ("collector.detect.cells", "from collector.store import base", "imports collector.store"),
    ("probe.verdict.rules", "import time", "is pure and imports time"),
    ("collector.ingest.admit", "from asyncio import sleep", "is pure and imports asyncio"),
    ("collector.snapshot", "def f():\n    from os import environ", "is pure and imports os"),
    ("probe.backoff", "import random", "is pure and imports random"),
    ("probe.outcome", "x = datetime.now(UTC)", "is pure and calls datetime.now()"),
    ("probe.agent", "asyncio.create_task(f())", "tasks live in a TaskGroup"),
    ("probe.upload", "import aiohttp", "the agent imports aiohttp"),
    ("probe.doctor", "from scapy.all import sr1", "scapy stays in its own process"),
    ("probe.capture", "from scapy.layers.inet import IP", "scapy stays in its own process"),
    ("probe.capture", "from . import capture_helper", "is run in its own process and never imported"),
    ("probe.capture", "from probe.capture_helper import main", "and never imported"),
    ("probe.wire.codec", "from pydantic import TypeAdapter", "pydantic is imported where"),
]


@pytest.mark.parametrize(("module", "line", "said"), BROKEN)
def test_a_broken_arrow_is_seen(module: str, line: str, said: str) -> None:
    found = list(complaints(module, f'"""Says what it is for."""\n{line}\n'))
    assert any(said in complaint for complaint in found), found


def test_a_module_without_a_word_about_itself_is_seen() -> None:
    assert list(complaints("probe.net", "import ssl"))


HELD = [
    ("probe.backoff", "if TYPE_CHECKING:\n    from random import Random"),
    ("probe.wire.codec", "def f():\n    from pydantic import TypeAdapter"),
    ("probe.capture_helper", "def f():\n    from scapy.layers.inet import IP"),
    ("collector.app", "from probe.wire.version import __version__"),
    ("collector.app", "from probe.wire.codec import decode"),
    ("collector.detect.cells", "from probe.verdict import judge"),
]


@pytest.mark.parametrize(("module", "line"), HELD)
def test_what_is_allowed_is_not_complained_of(module: str, line: str) -> None:
    assert list(complaints(module, f'"""Says what it is for."""\n{line}\n')) == []
