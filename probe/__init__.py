"""The agent on a volunteer's machine. It imports nothing of the collector."""

__version__ = "0.1.0"
