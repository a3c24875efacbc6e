"""What a round costs beside Debian's ``prometheus-blackbox-exporter``, and where everything is interfered
with: ``make bench``, into docs/costs.md."""
