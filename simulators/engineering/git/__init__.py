"""The source `git`: a clone, or an address to clone from."""
