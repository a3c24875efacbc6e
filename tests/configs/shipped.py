"""What configs/prometheus and configs/grafana ship, read without a YAML library: the files keep to one
form, and a test compares the count with promtool's."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.config import Config
from collector.detect.figures import DetectorFigures
from collector.metrics import Metrics
from collector.snapshot import take
from collector.store.base import StoreFigures

ROOT = Path(__file__).parent.parent.parent
PROMETHEUS = ROOT / "configs" / "prometheus"
GRAFANA = ROOT / "configs" / "grafana"
RUNBOOKS = ROOT / "docs" / "runbooks"
STORIES = Path(__file__).parent / "rules"

# Not ours: Prometheus says of every target whether it answers; blackbox_exporter looks from outside.
OTHERS = {"up", "probe_success", "probe_ssl_earliest_cert_expiry"}
LABELS = {
    "country", "asn", "platform", "cause", "stage", "failure", "status", "mechanism", "route", "reason",
    "result", "version", "le", "job", "instance",
}  # fmt: skip
NO_METRIC = {"and", "or", "unless", "by", "on", "without", "ignoring", "bool", "offset", "inf", "nan"}

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="needs promtool, of Debian's prometheus"
)


@dataclass(frozen=True)
class Rule:
    """One rule: `kind` is ``record`` or ``alert``, `text` its whole block, `fields` its scalars."""

    kind: str
    name: str
    text: str
    fields: dict[str, str]


def rules(file: str) -> list[Rule]:
    blocks = re.split(r"(?m)^  - (?=record: |alert: )", (PROMETHEUS / "rules" / file).read_text())[1:]
    found = []
    for block in blocks:
        text = re.split(r"(?m)^(?:- name:|  #)", block)[0]
        kind, _, name = text.splitlines()[0].partition(": ")
        found.append(Rule(kind, name, text, _fields(text)))
    return found


def _fields(text: str) -> dict[str, str]:
    """Keys at any depth; they differ from each other. A block's lines are joined as YAML folds them."""
    found: dict[str, str] = {}
    for match in re.finditer(r"(?m)^( *)(\w+): (?:[>|]-\n((?:\1  .*\n)+)|(.+)$)", text):
        lines = match[3].split("\n") if match[3] else [match[4].strip('"')]
        found[match[2]] = " ".join(line.strip() for line in lines if line.strip())
    return found


ALERTS = rules("alerts.yml")
RECORDED = rules("recording.yml")


@dataclass(frozen=True)
class Asked:
    """One expression of a dashboard, and where it stands."""

    where: str
    expression: str


def dashboards() -> dict[str, dict[str, object]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("dashboards/*.json"))}


def asked() -> Iterator[Asked]:
    for name, dashboard in dashboards().items():
        for panel in each(dashboard, "panels"):
            for target in each(panel, "targets"):
                yield Asked(f"{name}: {panel['title']}", str(target["expr"]))


def each(thing: dict[str, object], key: str) -> list[dict[str, object]]:
    """The objects in a list, none where there is no such list."""
    items = thing.get(key, [])
    assert isinstance(items, list)
    return items


def substituted(expression: str) -> str:
    """As Grafana would send it."""
    for variable, value in (("$__rate_interval", "1m"), ("$__interval", "1m"), ("$__range", "6h")):
        expression = expression.replace(variable, value)
    return re.sub(r"\$\{?\w+(?::\w+)?\}?", "PK", expression)


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression names."""
    text = re.sub(r'"[^"]*"', "", expression)
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", text)
    text = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", text)
    words = re.findall(r"(?<![\w:.])([a-zA-Z_:][\w:]*)(?![\w:]*\s*\()", text)
    return {word for word in words if word not in NO_METRIC}


def labels_in(expression: str) -> set[str]:
    """The labels that an expression matches or groups by."""
    matched = re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression)
    groups = re.findall(r"\b(?:by|on|without|ignoring|group_left)\s*\(([^)]*)\)", expression)
    return {*matched, *(label.strip() for group in groups for label in group.split(",") if label.strip())}


def declared() -> set[str]:
    """Every metric that a collector exposes, by the names of its samples."""
    platforms = Config().platforms
    metrics = Metrics("test", platforms)
    store = StoreFigures(size_bytes=0, oldest_batch_at=0.0, free_bytes=0)
    metrics.snapshot(take({}, [], now=0.0, window_s=600, platforms=platforms, store=store))
    metrics.detected(DetectorFigures(newest_bin_end_at=0.0, duration_s=0.0))
    metrics.certificate(0.0, is_current=True)
    body, _ = metrics.render("")
    names = set()
    for family in text_string_to_metric_families(body.decode()):
        if family.type == "counter":
            names.add(f"{family.name}_total")
        elif family.type == "histogram":
            names |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
        else:
            names.add(family.name)
    return names
