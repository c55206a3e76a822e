"""Array functions under the metrics: NumPy in, NumPy out."""
