"""Intervals and fits: arrays in, numbers out."""
