"""The pictures of the first screen, as SVGs that a browser paints at once."""
