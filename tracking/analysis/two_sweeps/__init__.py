"""Two sweeps against each other, configuration by configuration."""
