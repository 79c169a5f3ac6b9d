"""What may be compared with what, and by which number."""
