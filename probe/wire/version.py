"""The release: one number for agent, collector and the records between them."""

__version__ = "0.1.0"
