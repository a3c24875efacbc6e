"""Lists of what agents measure: made and signed by whoever holds the key, offered by a collector that does
not."""
