"""Array functions used by the metrics: NumPy in, NumPy out."""
