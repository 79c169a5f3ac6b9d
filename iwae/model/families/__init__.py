"""Families of models, one a file."""
