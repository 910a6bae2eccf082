"""The source `demo`: an invented project."""
