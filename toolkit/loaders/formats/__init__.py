"""Recognise wire formats and convert their bodies to the canonical form, one module each."""
