"""How long an epoch takes, and the epochs that fill a given time."""
