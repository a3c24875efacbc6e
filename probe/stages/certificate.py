"""What identifies a certificate, read from its DER form with the `cryptography` package."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.wire.stage import Certificate

MAX_NAMES = 16
MAX_TEXT = 255

# What `cryptography` raises for certificates it cannot read; several are no `ValueError`.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@lru_cache(maxsize=128)  # a round meets each of its certificates on every address of its name
def describe(der: bytes) -> Certificate | None:
    """The certificate's words (RFC 5280); None for bytes that are no certificate.

    A censor's box writes what it likes into these fields, so all of it is cut to length and made
    printable. The SPKI hash (RFC 7469) keeps 128 bits, enough to recognise a key.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        return Certificate(
            subject=_printable(certificate.subject.rfc4514_string()),
            issuer=_printable(certificate.issuer.rfc4514_string()),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            spki_sha256=_spki_sha256(certificate).hex()[:32],
            names=_names(certificate),
        )
    except _UNREADABLE:
        return None


def spki_sha256(der: bytes) -> bytes | None:
    """The SHA-256 of the certificate's SubjectPublicKeyInfo (RFC 7469, section 2.4), its key's name in
    32 bytes; None for bytes that are no certificate."""
    try:
        return _spki_sha256(x509.load_der_x509_certificate(der))
    except _UNREADABLE:
        return None


def _spki_sha256(certificate: x509.Certificate) -> bytes:
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = found.value.get_values_for_type(x509.DNSName)
    return tuple(_printable(name) for name in names[:MAX_NAMES])


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:MAX_TEXT]
