"""The server. Of the probe it imports `probe.wire` and `probe.verdict` alone."""
