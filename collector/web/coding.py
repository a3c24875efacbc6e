"""What a reader can decode. PURE."""

from __future__ import annotations


def takes_gzip(accept: str) -> bool:
    """Whether an ``Accept-Encoding`` takes gzip (RFC 9110, 12.5.3): named, or by ``*``, and not at weight 0.
    A weight that is none counts as 0: what is not compressed everybody can read."""
    weights: dict[str, float] = {}
    for one in accept.lower().split(","):
        coding, *parameters = (part.strip() for part in one.split(";"))
        weights[coding] = _weight(parameters)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weight(parameters: list[str]) -> float:
    for one in parameters:
        name, _, value = one.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
