"""Configurations of the families of models beside the VAE, one a file."""
