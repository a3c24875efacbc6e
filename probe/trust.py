"""The TLS contexts measurements are made with, each with an explicit floor.

Debian's Python sets none. Measurements are judged by one bundle that is the same for every
volunteer (certifi's, or the one configured); what the machine's own store thinks is recorded
beside it, because an antivirus or an office proxy puts its root there and would go unseen.
"""

from __future__ import annotations

import os
import ssl
from functools import cached_property
from pathlib import Path


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996 deprecates what is older.
    context.set_alpn_protocols(["http/1.1"])
    return context


class Trust:
    """Whom to believe. `ca_file` empty means SSL_CERT_FILE, and without it certifi's bundle."""

    def __init__(self, ca_file: str = "") -> None:
        self._ca_file = ca_file or os.environ.get("SSL_CERT_FILE", "")

    @cached_property
    def bundle(self) -> ssl.SSLContext:
        """Verifies against the bundle; raises `OSError` or `ssl.SSLError` for an unusable file."""
        context = _context()
        context.load_verify_locations(cafile=self._ca_file or _certifi())
        return context

    @cached_property
    def system(self) -> ssl.SSLContext:
        """Verifies against this machine's own store."""
        context = _context()
        context.load_default_certs()
        return context

    @cached_property
    def anyone(self) -> ssl.SSLContext:
        """Verifies nothing: only to record the chain that the others refused."""
        context = _context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def _certifi() -> str:
    import certifi

    return str(Path(certifi.where()))
