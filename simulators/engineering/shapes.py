"""How large pull requests are and how long they take, in tables of quantiles between those of real projects.

Invented ones are drawn from them, and what is simulated for any is measured by them. Products and sums are the same on
every machine; logarithms need not be.
"""

from __future__ import annotations

from bisect import bisect_left

# Shares and values; between two of them, values rise evenly.
Quantiles = tuple[tuple[float, ...], tuple[float, ...]]

LINES: Quantiles = (
    (0, 0.05, 0.10, 0.25, 0.40, 0.50, 0.60, 0.75, 0.85, 0.90, 0.95, 0.98, 0.99, 0.997, 1),
    (1, 2, 3, 10, 25, 45, 80, 215, 430, 690, 1400, 3600, 6500, 14000, 40000),
)
HOURS: Quantiles = (
    (0, 0.05, 0.12, 0.20, 0.30, 0.40, 0.50, 0.60, 0.70, 0.80, 0.90, 0.95, 0.98, 1),
    (0.04, 0.12, 0.4, 1.1, 3, 9, 22, 50, 115, 270, 760, 1600, 3200, 9000),
)
REVIEWS: Quantiles = ((0, 0.16, 0.55, 0.78, 0.90, 0.96, 0.99, 1), (0, 0.99, 1.99, 2.99, 3.99, 5, 7, 11))


def quantile(table: Quantiles, unit: float) -> float:
    """Return the value below which that share of all values lies."""
    shares, values = table
    place = 1
    while shares[place] < unit:
        place += 1
    low = shares[place - 1]
    return values[place - 1] + (values[place] - values[place - 1]) * (unit - low) / (shares[place] - low)


def rank(table: Quantiles, value: float) -> float:
    """Return the share of all values that lie below one, in [0, 1].

    >>> rank(LINES, 45), rank(LINES, 0), rank(LINES, 10**9)
    (0.5, 0.0, 1.0)
    """
    shares, values = table
    place = bisect_left(values, value)
    if place == 0:
        return float(shares[0])
    if place == len(values):
        return float(shares[-1])
    low = values[place - 1]
    return shares[place - 1] + (shares[place] - shares[place - 1]) * (value - low) / (values[place] - low)


def blend(one: float, other: float, weight: float) -> float:
    """Return a number in [0, 1), as evenly spread as the two are, that rises with both; `weight` is the first's."""
    low, high = min(weight, 1 - weight), max(weight, 1 - weight)
    both = weight * one + (1 - weight) * other
    if both < low:
        return both * both / (2 * low * high)
    if both < high:
        return (both - low / 2) / high
    return 1 - (1 - both) * (1 - both) / (2 * low * high)
