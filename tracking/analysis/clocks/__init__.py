"""What the trials measured against what their steps take alone, and against what was forecast."""
