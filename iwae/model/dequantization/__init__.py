"""Bytes under a continuous likelihood."""
