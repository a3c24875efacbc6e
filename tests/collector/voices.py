"""Collectors that speak, for tests of what they say."""

from __future__ import annotations

from dataclasses import replace

from collector.detect.thresholds import DEFAULT
from collector.detect.words import Voice
from collector.language import words

ENGLISH = Voice(words=words(), limits=DEFAULT, min_prefixes=5)
FOUND = replace(ENGLISH, public_url="https://reach.example")  # by readers, under its own address
