"""How pydantic must read the wire records, said once, without importing pydantic here.

The agent reads the little it is sent with `reader`, so it never pays for pydantic (12 MiB resident);
the collector validates the very same dataclasses through `codec.decode`.
"""

from __future__ import annotations

from typing import Any

# pydantic's JSON mode would otherwise take "1" for 1, true for 1.0 and Infinity for a number.
STRICT: dict[str, Any] = {"strict": True, "extra": "forbid", "allow_inf_nan": False}
