"""This process: its signals, its streams, its imports."""
