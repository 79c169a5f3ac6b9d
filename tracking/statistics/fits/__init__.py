"""Curves through means over seeds."""
