"""Pictures that do not move (matplotlib)."""
