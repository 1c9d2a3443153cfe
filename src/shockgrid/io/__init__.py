"""Reading and writing: canonical tables, run folders, and the synthetic firm of the demo."""
