"""The system's words for what went wrong, translated once: a table per stage, by exception.

Order matters: the first row whose type fits decides. What no row knows is this machine's own
failure (`local_error`), which never speaks about a platform.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Sequence

from probe.http1 import ClosedEarly, InvalidResponse
from probe.net import TooMuch
from probe.wire.failure import Failure

Table = Sequence[tuple[type[BaseException], Failure]]

CONNECT: Table = (
    (TimeoutError, Failure.CONNECTION_TIMEOUT),  # ours, and ETIMEDOUT from the kernel
    (ConnectionRefusedError, Failure.CONNECTION_REFUSED),
    (ConnectionResetError, Failure.CONNECTION_RESET),
    (ConnectionAbortedError, Failure.CONNECTION_RESET),
)

HANDSHAKE: Table = (
    (TimeoutError, Failure.TLS_TIMEOUT),
    (ConnectionResetError, Failure.TLS_RESET),
    (BrokenPipeError, Failure.TLS_RESET),
    (ssl.SSLEOFError, Failure.TLS_EOF),
    (ssl.SSLZeroReturnError, Failure.TLS_EOF),
    (ssl.SSLError, Failure.TLS_HANDSHAKE),
    (TooMuch, Failure.TLS_HANDSHAKE),
)

EXCHANGE: Table = (
    (TimeoutError, Failure.HTTP_TIMEOUT),
    (ConnectionResetError, Failure.HTTP_RESET),
    (BrokenPipeError, Failure.HTTP_RESET),
    (ClosedEarly, Failure.HTTP_EOF),
    (InvalidResponse, Failure.HTTP_INVALID),
    (ssl.SSLError, Failure.HTTP_RESET),
    (TooMuch, Failure.HTTP_INVALID),
)

# OSError carries the reason in its number where Python has no class for it. A route this machine
# lacks is its own affair; "host unreachable" comes back from a router on the way (RFC 1812).
_BY_ERRNO = {
    errno.ENETUNREACH: Failure.NO_ROUTE,
    errno.EADDRNOTAVAIL: Failure.NO_ROUTE,
    errno.EHOSTUNREACH: Failure.HOST_UNREACHABLE,
    errno.ENETDOWN: Failure.NO_ROUTE,
    errno.EPERM: Failure.NO_ROUTE,  # a local firewall's refusal
    errno.EACCES: Failure.HOST_UNREACHABLE,  # ICMP "administratively prohibited"
}

# OpenSSL's X509_V_ERR_… numbers (x509_vfy.h).
_BY_VERIFY_CODE = {
    9: Failure.TLS_CERTIFICATE_TIME,  # CERT_NOT_YET_VALID
    10: Failure.TLS_CERTIFICATE_TIME,  # CERT_HAS_EXPIRED
    18: Failure.TLS_UNKNOWN_AUTHORITY,  # DEPTH_ZERO_SELF_SIGNED_CERT
    19: Failure.TLS_UNKNOWN_AUTHORITY,  # SELF_SIGNED_CERT_IN_CHAIN
    20: Failure.TLS_UNKNOWN_AUTHORITY,  # UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    21: Failure.TLS_UNKNOWN_AUTHORITY,  # UNABLE_TO_VERIFY_LEAF_SIGNATURE
    62: Failure.TLS_INVALID_HOSTNAME,  # HOSTNAME_MISMATCH
}


def failure_of(error: BaseException, table: Table) -> Failure:
    """The failure code for an exception a stage met."""
    for kind, failure in table:
        if isinstance(error, kind):
            return failure
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return _BY_ERRNO[error.errno]
    return Failure.LOCAL_ERROR


def certificate_failure(error: ssl.SSLCertVerificationError) -> Failure:
    """The failure code for a certificate that OpenSSL refused."""
    return _BY_VERIFY_CODE.get(error.verify_code, Failure.TLS_INVALID_CERTIFICATE)
