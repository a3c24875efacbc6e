"""What the rules see in cleartext answers, which anybody on the way can write.

All four platforms answer in cleartext with a redirect to TLS and nothing else (RFC 6797 makes
browsers skip even that). What else comes under their names in cleartext is somebody else's, if the
gate's own cleartext page came as it should: a provider that rewrites every page blocks no platform.
"""

from __future__ import annotations

from collections.abc import Iterator

from probe.wire.observation import Observation

from .evidence import EndpointEvidence, Evidence, leads_away
from .names import is_placed
from .record import Fact
from .walk import CONFIRMING


def foreign_redirect(evidence: Evidence) -> Iterator[Fact]:
    """Every answer leads away from the platform."""
    for endpoint, answers in _answers(evidence):
        if all(leads_away(seen, evidence.platform) for seen in answers):
            http = answers[0].http
            onward = (http.location or http.refresh) if http else ""
            title = evidence.platform.title
            text = f"Whoever opens http://{endpoint.host}/ is led to {onward}, which is not {title}'s."
            yield Fact(text, endpoint.target, answers[0].family)


def page(evidence: Evidence) -> Iterator[Fact]:
    """A page where the platform only ever redirects to TLS."""
    for endpoint, answers in _answers(evidence):
        if all(_is_page(seen) and not leads_away(seen, evidence.platform) for seen in answers):
            title = evidence.platform.title
            text = f"http://{endpoint.host}/ shows a page, where {title} only leads on to its encrypted one."
            yield Fact(text, endpoint.target, answers[0].family)


def _answers(evidence: Evidence) -> Iterator[tuple[EndpointEvidence, list[Observation]]]:
    """What came in cleartext from where the platform lives, often enough to speak of."""
    for endpoint in evidence.endpoints() if evidence.cleartext_is_clean else ():
        answers = [o for o in endpoint.cleartext_answers() if o.address and is_placed(endpoint, o.address)]
        if len(answers) >= CONFIRMING:
            yield endpoint, answers


def _is_page(seen: Observation) -> bool:
    """Something to read: 204, and an answer without a body, show nobody anything."""
    http = seen.http
    return http is not None and (http.status or 0) // 100 == 2 and http.body_bytes > 0
