"""What one trial says by itself: its numbers by column, and whether it diverged."""
