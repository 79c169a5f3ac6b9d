"""Data that are numbers of any range: what is refused, how they are scaled, and what is said about them."""
