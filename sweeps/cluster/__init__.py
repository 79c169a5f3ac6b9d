"""Sweeps that were submitted to a cluster."""
