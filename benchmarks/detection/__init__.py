"""Detection on simulated years and events, beside OONI's: ``make bench-detect``, into docs/detection.md.

What decides is the collector's own code; only the votes are made up, from stated laws and a seed.
"""
