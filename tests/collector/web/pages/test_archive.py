"""What pages are gathered from: no small network is among it by its name."""

from __future__ import annotations

from collector.detect.incidents import Incident, Part, Phase, Witnesses
from collector.detect.revisions import Revision
from collector.web.pages.archive import networks


def test_an_incidents_networks_are_by_name_from_so_many_homes_up() -> None:
    large, small = Witnesses(failing=5, of=5, confirmed=True), Witnesses(failing=4, of=4)
    parts = (
        Part(platform="x", phase=Phase.CONFIRMED, since=1, networks={7: large, 3: small}),
        Part(platform="youtube", phase=Phase.CONFIRMED, since=1, networks={7: small, 2: large}),
    )
    said = Revision(number=1, at=0.0, reason="", incident=Incident(id="pk-1", country="PK", parts=parts))
    assert networks(said, 5) == {2: {"youtube": large}, 7: {"x": large}}
