"""Words for people without network knowledge: the parts of a service, and how reaching one fails.

The one place for them. A role or a failure code without a word here is called by its own name.
"""

from __future__ import annotations

import re

from probe.wire.failure import Failure
from probe.wire.observation import Observation

# The roles of configs/platforms/, as they stand in the middle of a sentence.
PARTS = {
    "web": "the web page",
    "api": "the app's interface",
    "static": "page elements",
    "media": "images",
    "video": "videos",
    "plain": "the unencrypted page",
}

HOW = {
    Failure.DNS_NXDOMAIN: "the name server says that this name does not exist",
    Failure.DNS_NO_ANSWER: "the name server gives no address for it",
    Failure.DNS_SERVFAIL: "the name server fails",
    Failure.DNS_REFUSED: "the name server refuses to answer",
    Failure.DNS_SERVER_MISBEHAVING: "the name server's answer cannot be read",
    Failure.DNS_TIMEOUT: "the name server does not answer",
    Failure.DNS_UNREACHABLE: "the name server cannot be reached",
    Failure.DNS_BOGON: "the name server gives an address where no public service can be",
    Failure.CONNECTION_TIMEOUT: "nothing answers",
    Failure.CONNECTION_REFUSED: "the connection is refused",
    Failure.CONNECTION_RESET: "the connection is refused",
    Failure.HOST_UNREACHABLE: "the network says that there is no way to it",
    Failure.TLS_TIMEOUT: "the connection opens, and then nothing more comes",
    Failure.TLS_RESET: "the connection is cut before it is encrypted",
    Failure.TLS_EOF: "the connection ends before it is encrypted",
    Failure.TLS_HANDSHAKE: "the server refuses an encrypted connection",
    Failure.TLS_UNKNOWN_AUTHORITY: "what answers has a certificate that no browser trusts",
    Failure.TLS_INVALID_HOSTNAME: "what answers has a certificate for another name",
    Failure.TLS_CERTIFICATE_TIME: "what answers has a certificate that is out of date",
    Failure.TLS_INVALID_CERTIFICATE: "what answers has a certificate that is not valid",
    Failure.HTTP_TIMEOUT: "the connection opens, and no answer comes",
    Failure.HTTP_RESET: "the connection is cut before an answer has come",
    Failure.HTTP_EOF: "the connection ends before an answer has come",
    Failure.HTTP_INVALID: "the answer cannot be read",
    Failure.NO_ROUTE: "this machine has no way to it",
    Failure.LOCAL_ERROR: "this machine had trouble of its own",
}


def part(target: str) -> str:
    """A role in words, by its name across platforms, such as ``x/web``."""
    role = target.partition("/")[2]
    return PARTS.get(role, role)


def how(failure: Failure) -> str:
    """What a failure looks like to a person."""
    return HOW.get(failure, str(failure))


def issued_by(shown: Observation) -> str:
    """Whom a foreign certificate says it is from, in brackets: the common name of RFC 4514's form, or
    all of it."""
    chain = shown.tls.chain if shown.tls else ()
    if not chain:
        return ""
    named = re.search(r"(?:^|,)CN=((?:\\.|[^,\\])+)", chain[0].issuer)
    issuer = re.sub(r"\\(.)", r"\1", named[1]) if named else chain[0].issuer
    return f" (certificate from {issuer})"
