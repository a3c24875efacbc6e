"""The agent on a volunteer's machine. It imports nothing of the collector."""
