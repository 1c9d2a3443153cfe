"""The independent truth in NumPy and SciPy: slow is fine, wrong is not. Backends are tested against it."""
