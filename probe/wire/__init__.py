"""The shared contract: typed frozen records, no I/O, no clock. Imports nothing of ours."""
