"""The blocks about seconds."""
