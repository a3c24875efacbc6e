"""OONI's words for what went wrong (df-007) in ours, and ours in OONI's: one table. PURE.

Where both have the word it stands for itself. OONI's word for a silence or a reset is the same at
every stage, ours says the stage, so those are told by where they happened. A word that is in neither
column survives as itself, and is nobody's failure but that machine's; a sentence (theirs begin with
``unknown_failure:``) is `local_error`.

The other way a code is the first word in the table that means it, itself where OONI has the same, and a
sentence where OONI has none. Two come back as another: an expired certificate as any invalid one, and an
answer that is no HTTP as nobody's failure.
"""

from __future__ import annotations

from collections.abc import Mapping

from probe.wire.failure import Failure
from probe.wire.stage import Stage

_TIMEOUT = {
    Stage.DNS: Failure.DNS_TIMEOUT,
    Stage.TCP: Failure.CONNECTION_TIMEOUT,
    Stage.TLS: Failure.TLS_TIMEOUT,
    Stage.HTTP: Failure.HTTP_TIMEOUT,
}
_RESET = {Stage.TCP: Failure.CONNECTION_RESET, Stage.TLS: Failure.TLS_RESET, Stage.HTTP: Failure.HTTP_RESET}

_BY_STAGE: Mapping[str, Mapping[Stage, Failure]] = {
    "generic_timeout_error": _TIMEOUT,
    "timed_out": _TIMEOUT,  # the kernel's ETIMEDOUT
    "connection_reset": _RESET,
    "connection_aborted": _RESET,  # Windows says so of a reset
    "eof_error": {Stage.TLS: Failure.TLS_EOF, Stage.HTTP: Failure.HTTP_EOF},
    # A lookup over UDP that is refused or unreachable met no resolver, rather than a server.
    "connection_refused": {Stage.DNS: Failure.DNS_UNREACHABLE},
    "host_unreachable": {Stage.DNS: Failure.DNS_UNREACHABLE},
}

_ANYWHERE: Mapping[str, Failure] = {
    "network_unreachable": Failure.NO_ROUTE,
    "network_down": Failure.NO_ROUTE,
    "address_not_available": Failure.NO_ROUTE,
    # getaddrinfo(3) says EAI_AGAIN of a resolver that failed and of one that is silent; Android's
    # EAI_NODATA "could mean anything" (netxlite/getaddrinfo_linux.go). Nothing usable came back.
    "dns_temporary_failure": Failure.DNS_UNREACHABLE,
    "android_dns_cache_no_data": Failure.DNS_UNREACHABLE,
    "dns_lookup_error": Failure.DNS_UNREACHABLE,  # of the programs before 2020
    "dns_non_recoverable_failure": Failure.DNS_SERVER_MISBEHAVING,  # EAI_FAIL
    "dns_reply_with_wrong_query_id": Failure.DNS_SERVER_MISBEHAVING,
}

# The server's answer came; what failed is following where it leads.
AFTER_THE_ANSWER = frozenset({"http_invalid_redirect_location_host"})


def failure_of(word: str | None, stage: Stage) -> Failure | None:
    """Our code for OONI's word at a stage; None for None, which is success in both."""
    if word is None:
        return None
    known = _BY_STAGE.get(word, {}).get(stage) or _ANYWHERE.get(word)
    if known is not None:
        return known
    try:
        return Failure(word)
    except ValueError:
        return Failure.LOCAL_ERROR


# Codes that OONI writes as we do (probe-cli's netxlite/errno.go).
_SHARED = frozenset(
    {
        Failure.DNS_NXDOMAIN,
        Failure.DNS_NO_ANSWER,
        Failure.DNS_SERVFAIL,
        Failure.DNS_REFUSED,
        Failure.DNS_SERVER_MISBEHAVING,
        Failure.DNS_BOGON,
        Failure.CONNECTION_REFUSED,
        Failure.CONNECTION_RESET,
        Failure.HOST_UNREACHABLE,
        Failure.TLS_HANDSHAKE,
        Failure.TLS_UNKNOWN_AUTHORITY,
        Failure.TLS_INVALID_HOSTNAME,
        Failure.TLS_INVALID_CERTIFICATE,
    }
)


def _turned() -> dict[Failure, str]:
    """The table from the other side; of several words that mean one code, the first."""
    words = {code: code.value for code in _SHARED}
    words[Failure.TLS_CERTIFICATE_TIME] = Failure.TLS_INVALID_CERTIFICATE.value  # "e.g. certificate expired"
    for word, by_stage in _BY_STAGE.items():
        for code in by_stage.values():
            words.setdefault(code, word)
    for word, code in _ANYWHERE.items():
        words.setdefault(code, word)
    return words


_WORDS = _turned()


def word_of(failure: Failure | None) -> str | None:
    """OONI's word for our code, which says its stage by itself; None for success."""
    if failure is None:
        return None
    return _WORDS.get(failure, f"unknown_failure: {failure}")
