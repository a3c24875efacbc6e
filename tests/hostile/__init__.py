"""Everything that passers-by and hostile volunteers can do to a collector, at once, beside honest homes.

``python -m tests.hostile`` does it for five minutes and writes docs/hostile-hour.md; the test does it for
half a minute, by the same code.
"""
