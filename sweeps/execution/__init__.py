"""Trials at work."""
