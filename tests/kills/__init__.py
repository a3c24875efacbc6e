"""Processes killed with SIGKILL in the middle of their work, again and again: what was promised stays.

``python -m tests.kills`` kills each side two hundred times and writes docs/kills.md; the tests do it a few
times, by the same code.
"""
