"""Rules: parsed, each with its story told and its runbook written, and each story sees its alert broken."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.configs.shipped import (
    ALERTS,
    LABELS,
    OTHERS,
    PROMETHEUS,
    RECORDED,
    ROOT,
    RUNBOOKS,
    STORIES,
    Rule,
    declared,
    labels_in,
    metrics_in,
    needs_promtool,
)

SEVERITIES = {"critical", "warning", "info"}
SCOPES = {"country", "platform", "collector"}
SECTIONS = ["What it means", "What it does not mean", "Look first at", "Do", "How it resolves"]
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True)


@needs_promtool
def test_promtool_takes_the_configuration_and_reads_as_many_rules_as_these_tests() -> None:
    done = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = sorted(map(int, re.findall(r"SUCCESS: (\d+) rules found", done.stdout)))
    assert counts == sorted([len(ALERTS), len(RECORDED)])


@pytest.mark.parametrize("rule", [*ALERTS, *RECORDED], ids=lambda rule: rule.name)
def test_a_rule_asks_only_for_what_is_there_and_by_labels_that_are_bounded(rule: Rule) -> None:
    known = declared() | {recorded.name for recorded in RECORDED} | OTHERS
    named = metrics_in(rule.fields["expr"])
    assert named
    assert named <= known
    assert labels_in(rule.fields["expr"]) <= LABELS - {"asn"}
    for query in re.findall(r'query \(printf "([^"]*)"', rule.text):
        assert metrics_in(query) <= known


@every_alert
def test_an_alert_says_how_bad_how_wide_and_in_a_sentence_what(alert: Rule) -> None:
    assert alert.fields["severity"] in SEVERITIES
    assert alert.fields["scope"] in SCOPES
    summary = alert.fields["summary"]
    assert summary.endswith(".")
    assert len(summary) <= 120
    assert not re.search(r"reachwatch_|CUSUM|metric_|\bnats\b|p0|ASN", summary), "a journalist reads this"
    if alert.fields["scope"] == "country":
        assert "{{ $labels.country }}" in summary
        # DETECTION: only what is confirmed is shown by "live metrics"; the rest is possible.
        assert summary.startswith("Possible" if alert.name.endswith("Suspected") else "Live metrics show")


@every_alert
def test_every_alert_has_its_runbook(alert: Rule) -> None:
    assert alert.fields["runbook"] == f"docs/runbooks/{alert.name}.md"
    text = (ROOT / alert.fields["runbook"]).read_text()
    assert text.startswith(f"# {alert.name}\n")
    assert re.findall(r"(?m)^## (.*)$", text) == SECTIONS
    for section in re.split(r"(?m)^## .*$", text)[1:]:
        assert len(section.split()) >= 8, "a heading with nothing below"
    named = set(re.findall(r"\b(reachwatch[_:][a-z0-9_:]*[a-z0-9])", text))
    assert named <= declared() | {recorded.name for recorded in RECORDED}


def test_no_runbook_and_no_story_is_left_of_an_alert_that_is_gone() -> None:
    names = {alert.name for alert in ALERTS}
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == names
    assert {path.stem for path in STORIES.glob("*.yml")} == names


@every_alert
def test_a_story_tells_of_firing_quiet_end_and_no_data(alert: Rule) -> None:
    told = re.findall(r"(?m)^- name: (.*)$", (STORIES / f"{alert.name}.yml").read_text())
    for part in ("fires", "quiet", "resolves", "no data"):
        assert any(name.startswith(part) for name in told), part


@needs_promtool
@every_alert
def test_an_alert_behaves_as_its_story_tells(alert: Rule) -> None:
    done = promtool("test", "rules", STORIES / f"{alert.name}.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def breakages(alert: Rule) -> dict[str, str]:
    """The alert's text, broken in one place each."""
    expression = re.compile(r"(?m)^    expr: (?:\|-\n(?:      .*\n)+|.*\n)")
    broken = {
        "never fires": expression.sub("    expr: vector(0) == 1\n", alert.text),
        "always fires": expression.sub("    expr: vector(1)\n", alert.text),
    }
    for key in ("for", "keep_firing_for"):
        if key in alert.fields:
            broken[f"without {key}"] = re.sub(rf"(?m)^    {key}: .*\n", "", alert.text)
            broken[f"{key} tenfold"] = re.sub(rf"(?m)^(    {key}: \d+)", r"\g<1>0", alert.text)
    for at, operator in enumerate(re.findall(r" [<>=]=? ", alert.fields["expr"])):
        other = {"<": ">", ">": "<", "=": "!="}[operator.strip()[0]]
        parts = re.split(r"( [<>=]=? )", alert.text)
        parts[2 * at + 1] = f" {other} "
        broken[f"comparison {at} turned"] = "".join(parts)
    return broken


BROKEN = [(alert, how) for alert in ALERTS for how in breakages(alert)]


@needs_promtool
@pytest.mark.parametrize(("alert", "how"), BROKEN, ids=[f"{a.name}: {how}" for a, how in BROKEN])
def test_a_broken_alert_is_seen_by_its_story(alert: Rule, how: str, tmp_path: Path) -> None:
    shipped = (PROMETHEUS / "rules" / "alerts.yml").read_text()
    changed = shipped.replace(alert.text, breakages(alert)[how])
    assert changed != shipped
    (tmp_path / "alerts.yml").write_text(changed)
    story = (STORIES / f"{alert.name}.yml").read_text()
    story = story.replace("../../../configs/prometheus/rules/alerts.yml", str(tmp_path / "alerts.yml"))
    story = story.replace("../../../configs/prometheus/rules", str(PROMETHEUS / "rules"))
    (tmp_path / "story.yml").write_text(story)
    done = promtool("test", "rules", tmp_path / "story.yml")
    assert done.returncode == 1
    assert f"alertname: {alert.name}, time:" in done.stdout + done.stderr
