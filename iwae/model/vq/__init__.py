"""Codes: a grid of them stands for an image."""
