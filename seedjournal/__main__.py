"""`python -m seedjournal`."""

from .cli import main

main()
