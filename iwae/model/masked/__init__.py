"""Networks whose output at a position depends on the positions before it only."""
