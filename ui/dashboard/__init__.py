"""What the dashboard is made of: tiles with one figure each, and panels with a chart or a list."""
