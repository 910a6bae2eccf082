"""Texts: Faker under keys.

Faker remembers a position in a sequence, so a text would depend on every text before it. Here its random numbers are
seeded again for each text, from the keyed digest that draws come from: a text is a pure function of (seed, simulator,
version, key, field), as a draw is.

Only what the whole supported range of Faker (40.1 up to, but without, 41) gives alike is used: names, made-up tasks and
sentences of the locale en_US, whose modules did not change over that range. Weights are off, because they are tuned
from time to time. A text costs tens of microseconds, fifty times a draw: take few, and choose among them by draws.

Faker is imported when the first text is wanted, since loading it takes longer than most commands.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from seedjournal.journal import Misuse

from .draws import Draws

if TYPE_CHECKING:
    from faker import Faker

_LOCALE = "en_US"
_PROVIDERS = ("person", "company", "lorem", "address")
_FIELDS = ("name", "task", "sentence")

# One generator serves the process: between seeding it and reading it, nobody else may have it.
_GENERATOR_IS_TAKEN = Lock()


class Texts:
    """The texts of one simulator under one seed, each by the natural key of what it is for."""

    __slots__ = ("_draws",)

    def __init__(self, seed: int, simulator: str, version: int) -> None:
        # The simulator's own draws for the same key are others: no text goes hand in hand with a choice.
        self._draws = Draws(seed, f"{simulator}/texts", version, _FIELDS)

    def name(self, *key: str | int) -> str:
        """Return a person's first and last name, such as `Omar Byrd`: letters and one space."""
        seed = self._seed("name", key)
        with _GENERATOR_IS_TAKEN:
            faker = _seeded(seed)
            return f"{faker.first_name()} {faker.last_name()}"

    def task(self, *key: str | int) -> str:
        """Return something to do, such as `orchestrate real-time channels`: a verb first, no full stop."""
        seed = self._seed("task", key)
        with _GENERATOR_IS_TAKEN:
            return _seeded(seed).bs()

    def sentence(self, *key: str | int) -> str:
        """Return a sentence of common English words without a meaning, with its full stop."""
        seed = self._seed("sentence", key)
        with _GENERATOR_IS_TAKEN:
            return _seeded(seed).sentence(nb_words=8)

    def _seed(self, field: str, key: tuple[str | int, ...]) -> int:
        return self._draws.of(*key).bits(field)


class Faking:
    """Faker's texts of one locale, each a function of 64 random bits."""

    __slots__ = ("_locale",)

    def __init__(self, locale: str = _LOCALE) -> None:
        self._locale = locale

    def name(self, bits: int) -> str:
        """Return a person's first and last name."""
        with _GENERATOR_IS_TAKEN:
            faker = _seeded(bits, self._locale)
            return f"{faker.first_name()} {faker.last_name()}"

    def company(self, bits: int) -> str:
        """Return a company's name."""
        with _GENERATOR_IS_TAKEN:
            return _seeded(bits, self._locale).company()

    def city(self, bits: int) -> str:
        """Return a city's name."""
        with _GENERATOR_IS_TAKEN:
            return _seeded(bits, self._locale).city()

    def street(self, bits: int) -> str:
        """Return a street with a house's number."""
        with _GENERATOR_IS_TAKEN:
            return _seeded(bits, self._locale).street_address()

    def word(self, bits: int) -> str:
        """Return a word."""
        with _GENERATOR_IS_TAKEN:
            return _seeded(bits, self._locale).word()

    def sentence(self, bits: int) -> str:
        """Return a sentence of common words without a meaning, with its full stop."""
        with _GENERATOR_IS_TAKEN:
            return _seeded(bits, self._locale).sentence(nb_words=8)


def faker_version() -> str:
    """Return the version of Faker that writes the texts."""
    from faker import VERSION

    return VERSION


@cache
def _generator(locale: str) -> Faker:
    from faker import Faker

    providers = [f"faker.providers.{name}" for name in _PROVIDERS]
    try:
        return Faker(locale, providers=providers, use_weighting=False)
    except AttributeError:
        raise Misuse(f"Faker has no locale {locale!r}.", "Use a locale such as en_US, de_DE or pt_BR.") from None


def _seeded(seed: int, locale: str = _LOCALE) -> Faker:
    faker = _generator(locale)
    faker.seed_instance(seed)
    return faker
