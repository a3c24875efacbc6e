"""How many signed rounds a second one core takes, stored before their receipts, beside a Pushgateway that is
given the same series: `make bench-ingest`."""
