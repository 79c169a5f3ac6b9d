"""Interactive charts (plotly)."""
