"""Every simulator over one project's facts: first what the facts state, then what follows from them.

Two passes over the source: the census, then the events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from seedjournal.journal import Spool, encode
from seedjournal.progress import Tell

from ..draws import Draws
from . import pull_requests as github
from .census import Census
from .facts import Facts
from .following import VERSIONS, Following, Made
from .kept import Kept

GENERATORS = {"github": github.VERSION, **VERSIONS}


NOTHING_HAPPENED = date(2024, 1, 1)  # the as-of of an empty source


def simulate(
    facts: Facts,
    census: Census,
    spool: Spool,
    *,
    seed: int,
    as_of: date | None = None,
    tools: str = "",
    kept: Kept | None = None,
    tell: Tell = lambda *_: None,
) -> date:
    """Simulate into the spool; return the run's date: `as_of`, or the newest day of the merged facts.

    `kept` is what an earlier run said and the policies keep, if there is one. `tools` is what every event's provenance
    says besides the simulator that made it.
    """
    provenance = {name: f"{name}/{version}{tools}" for name, version in GENERATORS.items()}

    def advance() -> None:
        tell("reading", 1, census.pull_requests)

    stated = ((encode(event), provenance[name]) for event, name in _stated(facts, census, seed, advance))
    if kept is None:
        spool.add(stated)
    else:
        spool.add(kept.filtered(stated))
        spool.add(kept.known_parts())
    following = Following(census.project)
    try:
        for entry in kept.merged(spool) if kept else spool.entries():
            following.see(entry)
        day = as_of or following.newest_day or NOTHING_HAPPENED
        made = following.events(seed, day, lambda: tell("simulating", 1, following.count))
        spool.add((encode(event), provenance[name]) for event, name in made)
    finally:
        following.close()
    return day


def _stated(facts: Facts, census: Census, seed: int, advance: Callable[[], None]) -> Iterator[Made]:
    """Yield every fact's event with the name of what made it; call `advance` after each pull request."""
    for pr in facts.pull_requests():
        yield github.pull_request(pr, census), "github"
        for event in github.parts(pr, census):
            yield event, "github"
        advance()
    for loose in facts.loose_commits():
        if census.is_loose(loose):
            yield github.loose_commit(census, loose), "github"
    accounts = Draws(seed, "github", github.DRAWS, github.DRAWN)
    yield github.team(census.project), "github"
    for key in sorted(census.members):
        yield github.member(census, key, accounts), "github"
