"""What things cost, measured so that a reader can measure it again. Nothing here passes or fails."""
