"""What a receiver can check with nothing but the standard library, and with the standard's own example."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from collector.alerts.signing import headers, key_of, message_id

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
README = Path(__file__).parents[3] / "README.md"


def test_a_message_is_signed_as_the_reference_libraries_do() -> None:
    """The vector that the libraries of Standard Webhooks test themselves with."""
    signed = headers(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY)
    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_no base64!", "whsec_" + "é" * 40]
    + ["whsec_" + base64.b64encode(b"k" * length).decode() for length in (0, 23, 65)],
)
def test_a_weak_or_broken_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^a secret is whsec_ and base64 of 24 to 64 bytes$"):
        key_of(secret)


def test_a_messages_id_tells_revisions_apart_and_has_no_full_stop() -> None:
    names = {message_id(incident, number) for incident in ("pk-1.2", "pk-1") for number in (1, 2)}
    assert len(names) == 4
    assert not any("." in name for name in names)
    assert message_id("pk-1", 1) == message_id("pk-1", 1)


def test_what_the_readme_shows_checks_a_signature() -> None:
    (code,) = re.findall(r"```python\n(import base64.*?)```", README.read_text(), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 8
    names: dict[str, object] = {}
    exec(code, names)
    is_genuine = names["is_genuine"]
    assert callable(is_genuine)
    signed = headers(key_of(SECRET), "msg_1", 1_700_000_000, BODY)
    assert is_genuine(SECRET, signed, BODY, 1_700_000_100)
    assert not is_genuine(SECRET, signed, BODY + b" ", 1_700_000_100)
    assert not is_genuine(SECRET, signed | {"webhook-id": "msg_2"}, BODY, 1_700_000_100)
    assert not is_genuine(SECRET, signed, BODY, 1_700_000_400), "a replay"
    other = "whsec_" + base64.b64encode(b"o" * 32).decode()
    assert not is_genuine(other, signed, BODY, 1_700_000_100)
