"""What validation curves say of time."""
