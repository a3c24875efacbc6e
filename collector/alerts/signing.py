"""How a webhook is signed, by Standard Webhooks 1.0.0. PURE.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: HMAC-SHA256 over
``id.timestamp.body``; the secret is ``whsec_`` and base64 of 24 to 64 random bytes. The id is the same at
every attempt, and what a receiver knows a repetition by; the timestamp is the attempt's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64  # "Random. At least 24 bytes (192 bits, 512 maximum)"


def key_of(secret: str) -> bytes:
    """The key in a secret; raises `ValueError`, whose message does not repeat it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"a secret is {PREFIX} and base64 of {_LEAST_BYTES} to {_MOST_BYTES} bytes")
    return key


def message_id(incident: str, number: int) -> str:
    """The id of a revision's message. The standard allows no full stop in it, so no name is in it either."""
    return "msg_" + hashlib.sha256(f"{incident} {number}".encode()).hexdigest()[:32]


def headers(key: bytes, message: str, at: int, body: bytes) -> dict[str, str]:
    """What goes with `body`, attempted at `at` (Unix seconds)."""
    signature = hmac.digest(key, f"{message}.{at}.".encode() + body, "sha256")
    return {
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
