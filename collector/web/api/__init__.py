"""The public API: what the collector says, for programs. Versioned; ``/api/v1/openapi.json`` describes it.

Anybody may ask for anything as often as the rate allows, from any page (open data, so any origin). What is
given out was made once, in a thread, of what is in memory wherever it can be; receipts come first.
"""

from __future__ import annotations

from .serve import application

__all__ = ["application"]
