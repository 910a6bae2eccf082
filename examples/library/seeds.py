"""A library: books by hand, loans simulated. `seedjournal record --project library && seedjournal project`."""

from collections.abc import Iterator
from datetime import date

from seedjournal import Domain, Draw, Kind, csv


class Book(Kind, key="isbn"):
    isbn: str
    title: str


class Loan(Kind, key=("book", "taken")):
    book: Book  # a reference
    taken: date
    reader: str


library = Domain("library", kinds=(Book, Loan), today=date(2026, 1, 5))
library.facts(Book, csv("books.csv"))


@library.simulate(each=Book)
def loans(book: Book, draw: Draw) -> Iterator[Loan]:
    for one in draw.many("loans", 0, 6):
        yield Loan(book=book, taken=one.day("taken", date(2024, 1, 1), library.today), reader=one.name("reader"))
