"""`python -m seedjournal`, and the command `seedjournal`."""

from .interrupts import guard_start


def main() -> None:
    """Load the program and run it."""
    guard_start()
    from .cli import main as run

    run()


if __name__ == "__main__":
    main()
