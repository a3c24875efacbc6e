"""Dashboards: provisionable, every expression parsed, and nothing asked for that nobody exposes."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path

import pytest

from tests.configs.shipped import (
    GRAFANA,
    LABELS,
    OTHERS,
    RECORDED,
    Asked,
    asked,
    dashboards,
    declared,
    each,
    labels_in,
    metrics_in,
    needs_promtool,
    substituted,
)

BOARDS = dashboards()
ASKED = list(asked())
every_board = pytest.mark.parametrize("name", BOARDS)


def test_there_is_one_for_nations_networks_and_the_collector() -> None:
    assert set(BOARDS) == {"nation", "network", "collector"}


@needs_promtool
def test_promtool_parses_every_expression(tmp_path: Path) -> None:
    rules = [{"record": f"asked:{n}", "expr": substituted(one.expression)} for n, one in enumerate(ASKED)]
    file = tmp_path / "asked.yml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ASKED)} rules found" in done.stdout


@pytest.mark.parametrize("one", ASKED, ids=lambda one: one.where)
def test_an_expression_names_only_metrics_and_labels_that_exist(one: Asked) -> None:
    expression = substituted(one.expression)
    assert "$" not in expression
    named = metrics_in(expression)
    assert named
    assert named <= declared() | OTHERS | {recorded.name for recorded in RECORDED}
    assert labels_in(expression) <= LABELS


def test_every_metric_of_the_collector_is_on_some_dashboard() -> None:
    shown = {name for one in ASKED for name in metrics_in(substituted(one.expression))}
    recorded = {name for rule in RECORDED if rule.name in shown for name in metrics_in(rule.fields["expr"])}
    left = {name for name in declared() - shown - recorded if not name.endswith(("_sum", "_count"))}
    assert left == {"reachwatch_votes", "reachwatch_votes_failing"}  # nation_votes says it better


@every_board
def test_its_data_source_is_chosen_and_its_variables_are_all_used(name: str) -> None:
    board = BOARDS[name]
    templating = board["templating"]
    assert isinstance(templating, dict)
    variables = each(templating, "list")
    assert variables[0]["type"] == "datasource"
    targets = [target for panel in each(board, "panels") for target in each(panel, "targets")]
    for thing in (*each(board, "panels"), *targets, *variables[1:]):
        assert thing["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    names = {str(variable["name"]) for variable in variables}
    used = {match for one in ASKED if one.where.startswith(f"{name}: ")
            for match in re.findall(r"\$(\w+)", one.expression) if not match.startswith("__")}  # fmt: skip
    assert used | {"datasource"} == names
    for variable in variables[1:]:
        query = str(variable["definition"])
        assert metrics_in(query.removeprefix("label_values(").rsplit(",", 1)[0]) <= declared()


@every_board
def test_it_is_provisionable_and_its_panels_say_what_they_show_and_do_not_overlap(name: str) -> None:
    board = BOARDS[name]
    assert board["uid"] == f"reachwatch-{name}"
    assert "id" not in board, "Grafana gives it"
    assert board["timezone"] == "utc"
    panels = each(board, "panels")
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        assert each(panel, "targets")
    places = [json.loads(json.dumps(panel["gridPos"])) for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for a, b in combinations(places, 2):
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert apart_x or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]


def test_states_are_shown_by_the_words_of_the_detector() -> None:
    for name, board in BOARDS.items():
        for panel in each(board, "panels"):
            if "_state{" in json.dumps(panel["targets"]) and panel["type"] == "state-timeline":
                words = re.findall(r'"text": "(\w+)"', json.dumps(panel["fieldConfig"]))
                assert words == ["insufficient", "ok", "suspected", "confirmed"], name


def test_uids_and_the_folder_that_provisioning_names() -> None:
    assert len({str(board["uid"]) for board in BOARDS.values()}) == len(BOARDS)
    assert "type: file" in (GRAFANA / "provisioning" / "dashboards" / "reachwatch.yml").read_text()
    assert "type: prometheus" in (GRAFANA / "provisioning" / "datasources" / "reachwatch.yml").read_text()
