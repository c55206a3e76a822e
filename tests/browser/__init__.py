"""Pages opened in a real browser; see CONTRIBUTING."""
