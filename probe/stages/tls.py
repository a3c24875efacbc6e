"""Stage three: a TLS handshake for the endpoint's name (RFC 8446, RFC 6066), verified.

OpenSSL verifies during the handshake and keeps no chain it refuses. So when verification fails,
the handshake is made again on a new connection, first against this machine's own store, then
against none, only to record the chain: a second connection is paid where there is something to
prove, and nowhere else. Where the question is whether *any* handshake completes (another name on
the platform's address, its name at another's), no certificate is asked for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from probe.net import Stream, TlsStream
from probe.wire.observation import Observation, Purpose
from probe.wire.stage import Certificate, Stage, TlsDetail

from .certificate import MAX_TEXT, describe
from .errors import HANDSHAKE, certificate_failure, failure_of
from .line import Turn
from .tcp import state_at

MAX_CHAIN = 8
_ANY_CERTIFICATE = frozenset({Purpose.INNOCUOUS, Purpose.ELSEWHERE})


async def handshake(turn: Turn, address: str, below: Stream | None) -> tuple[Observation, Stream | None]:
    """Complete a verified handshake over `below`."""
    if below is None:
        raise ValueError("TLS needs a connection below")
    began, trust = turn.line.clock(), turn.line.trust
    try:
        tls = await _shake(turn, below, trust.anyone if turn.purpose in _ANY_CERTIFICATE else trust.bundle)
    except OSError as error:
        failure, detail = failure_of(error, HANDSHAKE), None
        tcp = state_at(failure, below)
        observed_s = turn.line.clock()
        if isinstance(error, ssl.SSLCertVerificationError):
            failure = certificate_failure(error)
            detail = await _refused_chain(turn, address, error.verify_message[:MAX_TEXT])
        # What recording the chain took is not what the handshake took.
        began += turn.line.clock() - observed_s
        seen = turn.observe(Stage.TLS, began, address=address, failure=failure, detail=detail, tcp=tcp)
        return seen, None
    began += min(tls.overslept_s, turn.line.clock() - began)
    detail = TlsDetail(version=tls.version(), chain=_described(tls.chain()))
    return turn.observe(Stage.TLS, began, address=address, detail=detail), tls


async def _shake(turn: Turn, below: Stream, context: ssl.SSLContext) -> TlsStream:
    async with asyncio.timeout(turn.line.timeouts.tls_s):
        tls = TlsStream(below, context, turn.endpoint.host)
        await tls.handshake()
        return tls


async def _refused_chain(turn: Turn, address: str, verify_error: str) -> TlsDetail:
    """The chain that was refused, and whether this machine's own store would have taken it."""
    trust, refused = turn.line.trust, turn.line.refused
    where = (turn.endpoint.host, address)
    for context, system_trusted in ((trust.system, True), (trust.anyone, False)):
        if system_trusted and where in refused:
            continue
        await turn.come()
        try:
            below = await turn.line.net.connect(address, turn.endpoint.port)
        except OSError:
            break
        try:
            tls = await _shake(turn, below, context)
            return TlsDetail(
                version=tls.version(),
                chain=_described(tls.chain()),
                verify_error=verify_error,
                system_trusted=system_trusted,
            )
        except ssl.SSLCertVerificationError:
            refused.add(where)
        except OSError:
            continue
        finally:
            below.close()
    return TlsDetail(verify_error=verify_error)


def _described(chain: Sequence[bytes]) -> tuple[Certificate, ...]:
    certificates = (describe(der) for der in chain[:MAX_CHAIN])
    return tuple(certificate for certificate in certificates if certificate is not None)
