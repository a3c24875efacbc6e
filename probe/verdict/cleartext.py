"""What the rules see in cleartext answers, which anybody on the way can write.

All four platforms answer in cleartext with a redirect to TLS and nothing else (RFC 6797 makes
browsers skip even that). What else comes under their names in cleartext is somebody else's, if the
gate's own cleartext page came as it should: a provider that rewrites every page blocks no platform.
"""

from __future__ import annotations

from collections.abc import Iterator

from .evidence import Evidence
from .record import Fact
from .walk import CONFIRMING


def foreign_redirect(evidence: Evidence) -> Iterator[Fact]:
    """Every answer leads away from the platform."""
    if not evidence.cleartext_is_clean:
        return
    for endpoint in evidence.endpoints():
        for seen in endpoint.redirected()[:1]:
            onward = (seen.http.location or seen.http.refresh) if seen.http else ""
            text = f"Whoever opens http://{endpoint.host}/ is led to {onward}, which is not the platform."
            yield Fact(text, endpoint.target, seen.family)


def page(evidence: Evidence) -> Iterator[Fact]:
    """A page where the platform only ever redirects to TLS."""
    if not evidence.cleartext_is_clean:
        return
    for endpoint in evidence.endpoints():
        answers = endpoint.cleartext_answers()
        pages = [o for o in answers if o.http and o.http.status and o.http.status // 100 == 2]
        if len(pages) == len(answers) >= CONFIRMING and not endpoint.redirected():
            text = f"http://{endpoint.host}/ shows a page, where the platform only leads on to TLS."
            yield Fact(text, endpoint.target, pages[0].family)
