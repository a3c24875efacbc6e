"""How long from a batch's receipt to the page, the API and `/metrics`, at the rate of a large network of
volunteers, with the detector at work: `make bench-fresh`."""
