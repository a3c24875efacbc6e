"""The figures on the method's page are the report's."""

from __future__ import annotations

from pathlib import Path

from collector.web.pages.measured import measured, read

REPORT = Path(__file__).parents[4] / "docs" / "detection.md"


def test_every_target_of_the_report_is_read_with_its_date_and_whether_it_was_met() -> None:
    found = measured()
    assert found is not None
    text = REPORT.read_text(encoding="utf-8")
    assert f"on {found.date}:" in text
    assert len(found.targets) == text.partition("## Targets")[2].partition("\n## ")[0].count("\n| ") - 1
    assert {met for *_, met in found.targets} <= {"yes", "no"}
    assert all(target in text and figure in text for target, _, figure, _ in found.targets)


def test_a_report_without_targets_is_none() -> None:
    assert read("# Something else\non 2026-01-01\n") is None
