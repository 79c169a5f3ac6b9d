"""A sweep's configurations compared."""
