"""Align tokens with the text that they wrote."""
