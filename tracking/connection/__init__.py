"""Opening a tracking store."""
