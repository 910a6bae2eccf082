"""Small worlds: a team's members, pull requests, files and issues, that come, go and change; and their entities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seedjournal.journal import Event
from tests.model.shapes import Place, holders, place_of
from tests.projectors.invented import file, issue, member, pull_request, team

PROJECTS = ("gulls", "terns")
LOGINS = ("ann", "bob")
NUMBERS = (1, 2, 3)
FILES = ("a.py", "b.py")
NAMES: tuple[tuple[Any, ...], ...] = (
    ("team",),
    *(("team_member", login) for login in LOGINS),
    *(("pull_request", number) for number in NUMBERS),
    *(("pr_file", number, name) for number in NUMBERS[:2] for name in FILES),
    *(("jira_issue", number) for number in NUMBERS[:2]),
)
STRANGE: tuple[tuple[Any, ...], ...] = (("pr_file", 1, "own.py"), ("jira_issue", 9))  # what only users have
VERSIONS = ("a", "b")


@dataclass(frozen=True)
class World:
    """Which things there are, each in some version, and a setting on which all pull requests and issues depend."""

    things: Mapping[tuple[Any, ...], str]
    setting: int = 0

    def put(self, name: tuple[Any, ...], version: str | None) -> World:
        """The world with a thing in some version, or without it."""
        rest = {one: at for one, at in self.things.items() if one != name}
        return World({**rest, name: version} if version else rest, self.setting)


FULL = World(dict.fromkeys(NAMES, "a"))
MORE = World(dict.fromkeys((*NAMES, *STRANGE), "a"))


def event_of(project: str, name: tuple[Any, ...], world: World) -> Event:
    """The event of one thing; who is not there is nobody's author."""
    version = world.things[name]
    author = next((login for login in LOGINS if ("team_member", login) in world.things), None)
    match name:
        case ("team",):
            return team(project, name=f"{project} {version}")
        case ("team_member", login):
            return member(login, project, display_name=version)
        case ("pull_request", number):
            return pull_request(number, project, title=version, additions=world.setting, author=author)
        case ("pr_file", number, filename):
            return file(number, filename, project, status=version)
        case ("jira_issue", number):
            return issue(number, project, status=version, sprint_id=world.setting, assignee=author)
    raise AssertionError(name)


def events_of(project: str, world: World, numbers: tuple[int, ...] = NUMBERS) -> dict[Place, Event]:
    """A world's events by place, as far as what holds them is there; of pull requests and files only these numbers."""
    found: dict[Place, Event] = {}
    for name in (*NAMES, *STRANGE):
        if name in world.things and (name[0] not in {"pull_request", "pr_file"} or name[1] in numbers):
            event = event_of(project, name, world)
            place = place_of(event.kind, event.key)
            if all(holder in found for holder in holders(place)):
                found[place] = event
    return found
