"""A model and a gradient estimator of one's own."""
