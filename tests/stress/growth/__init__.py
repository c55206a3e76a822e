"""Time and memory of reading grow no faster than its input: `shapes`, and `measure`."""
