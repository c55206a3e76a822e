"""Recognise wire formats and bring their bodies to the canonical form, one module each."""
