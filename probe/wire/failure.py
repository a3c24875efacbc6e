"""The closed failure vocabulary: what went wrong, and whose it is.

Codes are OONI's (spec df-007-errors) where OONI has one, so that data from both can be laid
side by side. Each code names an *owner*: the target (or whatever stands on the way to it), the
resolver, or this machine. A failure owned by this machine never speaks about a platform.
"""

from __future__ import annotations

from .openenum import OpenEnum


class Owner(OpenEnum):
    """Where a failure lies, as seen from the probe."""

    TARGET = "target"
    RESOLVER = "resolver"
    LOCAL = "local"


class Failure(OpenEnum):
    """Why a stage did not succeed."""

    # Resolver: it answered, and the answer is no address.
    DNS_NXDOMAIN = "dns_nxdomain_error"
    DNS_NO_ANSWER = "dns_no_answer"
    DNS_SERVFAIL = "dns_servfail_error"
    DNS_REFUSED = "dns_refused_error"
    DNS_SERVER_MISBEHAVING = "dns_server_misbehaving"
    # Resolver: nothing usable came back from it.
    DNS_TIMEOUT = "dns_timeout_error"
    DNS_UNREACHABLE = "dns_unreachable_error"
    # An answer that can be no public service's address (RFC 6890 and multicast).
    DNS_BOGON = "dns_bogon_error"
    # Transport.
    CONNECTION_TIMEOUT = "tcp_timeout_error"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    HOST_UNREACHABLE = "host_unreachable"
    # TLS.
    TLS_TIMEOUT = "tls_timeout_error"
    TLS_RESET = "tls_reset_error"
    TLS_EOF = "tls_eof_error"
    TLS_HANDSHAKE = "ssl_failed_handshake"
    TLS_UNKNOWN_AUTHORITY = "ssl_unknown_authority"
    TLS_INVALID_HOSTNAME = "ssl_invalid_hostname"
    TLS_CERTIFICATE_TIME = "ssl_certificate_time"
    TLS_INVALID_CERTIFICATE = "ssl_invalid_certificate"
    # HTTP.
    HTTP_TIMEOUT = "http_timeout_error"
    HTTP_RESET = "http_reset_error"
    HTTP_EOF = "http_eof_error"
    HTTP_INVALID = "http_invalid_response"
    # This machine.
    NO_ROUTE = "no_route"
    LOCAL_ERROR = "local_error"

    @property
    def owner(self) -> Owner:
        """Whose failure it is; an unknown code is charged to nobody but this machine."""
        return _OWNERS.get(self, Owner.LOCAL)


def _owner_of(failure: Failure) -> Owner:
    if failure in (Failure.NO_ROUTE, Failure.LOCAL_ERROR):
        return Owner.LOCAL
    return Owner.RESOLVER if failure.startswith("dns_") else Owner.TARGET


_OWNERS = {failure: _owner_of(failure) for failure in Failure}

# The certificate shown belongs to somebody else: the two codes that can prove interception.
# An expired or not-yet-valid certificate is not among them: the clock may be ours that is wrong.
FOREIGN_CERTIFICATE = frozenset({Failure.TLS_UNKNOWN_AUTHORITY, Failure.TLS_INVALID_HOSTNAME})
