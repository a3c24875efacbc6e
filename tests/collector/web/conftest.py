"""The evening, for pages that are read without a browser."""

from __future__ import annotations

from tests.browser.conftest import told as told
