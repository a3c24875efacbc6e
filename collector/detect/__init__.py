"""PURE: outcomes become cells, and later signals and incidents. No I/O, no clock, no chance."""
