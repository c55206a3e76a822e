"""Merge the chunks of streams into responses."""
