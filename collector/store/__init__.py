"""Where rounds and cells are kept. The rest of the collector knows `base.Store` alone."""
