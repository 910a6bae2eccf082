"""A plain dashboard of one team: `python examples/dashboard.py DB --html page.html --svg page.svg`.

Reads the tables that `seedjournal project` wrote, in SQLite or PostgreSQL, and draws ten screens of them as one SVG. It
counts from today, as dashboards do: `seedjournal project --today` moves the data there first.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape
from pathlib import Path
from statistics import fmean, median
from typing import Any

from sqlalchemy import Connection, create_engine, text

WEEKS, DAYS, RECENT = 26, 30, 90
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 480, 230, 44, 40, 14, 26
COLOURS = ("#3566b8", "#d9822b", "#3c9a5f", "#a4478f", "#8a8f98")

PULLS = """
    SELECT p.pr_created_at, p.merged_at, p.cycle_time_hours, p.state, p.is_ai_assisted, m.display_name, m.is_bot
    FROM pull_requests p LEFT JOIN team_members m ON m.id = p.author_id WHERE p.team_id = :team"""
SURVEYS = """
    SELECT p.merged_at, s.author_ai_assisted FROM pr_surveys s JOIN pull_requests p ON p.id = s.pull_request_id
    WHERE p.team_id = :team"""
ANSWERS = """
    SELECT a.responded_at, a.quality_rating FROM pr_survey_reviews a JOIN team_members m ON m.id = a.reviewer_id
    WHERE m.team_id = :team"""
THROUGHPUT = """
    SELECT w.week_start, sum(w.prs_merged) FROM weekly_metrics w JOIN team_members m ON m.id = w.team_member_id
    WHERE m.team_id = :team GROUP BY w.week_start"""
COMMITS = THROUGHPUT.replace("prs_merged", "commits_count")
USAGE = """
    SELECT u.date, u.active_hours FROM ai_usage_daily u JOIN team_members m ON m.id = u.team_member_id
    WHERE m.team_id = :team"""
REVIEWS = """
    SELECT r.submitted_at, m.display_name FROM pr_reviews r JOIN team_members m ON m.id = r.reviewer_id
    WHERE m.team_id = :team AND NOT m.is_bot"""
ISSUES = "SELECT sprint_id, issue_type, story_points, status FROM jira_issues WHERE team_id = :team"
CHECKS = "SELECT started_at, conclusion FROM pr_check_runs WHERE team_id = :team"
FILES = """
    SELECT p.pr_created_at, f.filename FROM pr_files f JOIN pull_requests p ON p.id = f.pull_request_id
    WHERE p.team_id = :team"""


class Team:
    """What the screens show of a team, up to a day."""

    def __init__(self, connection: Connection, team: int, name: str, today: date) -> None:
        self._connection = connection
        self._team = team
        self.name = name
        self.today = today
        monday = today - timedelta(days=today.weekday())
        self.weeks = [monday - timedelta(weeks=back) for back in reversed(range(WEEKS))]
        self.pulls = self.rows(PULLS)

    def rows(self, query: str) -> list[Any]:
        """Return what a query selects of this team."""
        return list(self._connection.execute(text(query), {"team": self._team}))

    def by_week(self, moments: Iterable[tuple[Any, Any]]) -> list[list[float]]:
        """Return the values of each week shown."""
        found: dict[date, list[float]] = defaultdict(list)
        for moment, value in moments:
            if moment is not None and value is not None:
                day = day_of(moment)
                found[day - timedelta(days=day.weekday())].append(float(value))
        return [found[week] for week in self.weeks]

    def is_recent(self, moment: Any, days: int = RECENT) -> bool:
        """Return whether something happened in the last days."""
        return moment is not None and 0 <= (self.today - day_of(moment)).days < days


def throughput(team: Team) -> str:
    """Draw how many pull requests were merged in each week."""
    values = [sum(week) for week in team.by_week(team.rows(THROUGHPUT))]
    return screen("Merged pull requests a week", bars(weeks_of(team), {"merged": values}))


def cycle_time(team: Team) -> str:
    """Draw how long a pull request took, for half and for nine in ten of those merged in each week."""
    weeks = team.by_week((pull.merged_at, pull.cycle_time_hours) for pull in team.pulls)
    values = {"half": [median(week) if week else None for week in weeks]}
    values["three in four"] = [sorted(week)[int(0.75 * len(week))] if week else None for week in weeks]
    return screen("Hours from opening to merge", lines(weeks_of(team), values))


def assistants(team: Team) -> str:
    """Draw the share of merged pull requests that AI helped with: as they show it, and as their authors say."""
    shown = team.by_week((pull.merged_at, 100 * bool(pull.is_ai_assisted)) for pull in team.pulls)
    said = team.by_week(
        (row.merged_at, None if row.author_ai_assisted is None else 100 * bool(row.author_ai_assisted))
        for row in team.rows(SURVEYS)
    )
    values = {"authors say AI, %": means(said), "shows AI, %": means(shown)}
    return screen("AI in merged pull requests", lines(weeks_of(team), values, top=100))


def usage(team: Team) -> str:
    """Draw the hours in assistants of each week."""
    values = [round(sum(week)) for week in team.by_week(team.rows(USAGE))]
    return screen("Hours with Copilot and Cursor a week", bars(weeks_of(team), {"hours": values}))


def quality(team: Team) -> str:
    """Draw the mean rating of each week."""
    weeks = team.by_week(team.rows(ANSWERS))
    count = sum(map(len, weeks))
    title = f"Quality as reviewers rate it, 1 to 3 ({count:,} answers)"
    return screen(title, lines(weeks_of(team), {"mean": means(weeks)}, bottom=1, top=3))


def answers(team: Team) -> str:
    """Draw how many authors of merged pull requests answered in each week, and what they said of AI."""
    rows = team.rows(SURVEYS)
    kinds = {"no AI": False, "AI": True}
    weeks = {
        name: team.by_week((row.merged_at, 1) for row in rows if row.author_ai_assisted == says)
        for name, says in kinds.items()
    }
    values = {name: [len(week) for week in column] for name, column in weeks.items()}
    return screen("What authors answered, by week of the merge", bars(weeks_of(team), values))


def coding(team: Team) -> str:
    """Draw how many commits there were in each week."""
    values = [sum(week) for week in team.by_week(team.rows(COMMITS))]
    return screen("Commits a week", bars(weeks_of(team), {"commits": values}))


def people(team: Team) -> str:
    """Draw who merged most lately."""
    merged = Counter(
        pull.display_name
        for pull in team.pulls
        if team.is_recent(pull.merged_at) and pull.display_name and not pull.is_bot
    )
    return screen(f"Team: merged in {RECENT} days", ranking(merged))


def last_days(team: Team) -> str:
    """Draw what was opened and merged on each of the last days."""
    days = [team.today - timedelta(days=back) for back in reversed(range(DAYS))]
    opened = Counter(day_of(pull.pr_created_at) for pull in team.pulls)
    merged = Counter(day_of(pull.merged_at) for pull in team.pulls if pull.merged_at)
    waiting = sum(pull.state == "open" for pull in team.pulls)
    values = {"opened": [opened[day] for day in days], "merged": [merged[day] for day in days]}
    return screen(f"Last {DAYS} days ({waiting:,} open now)", bars([f"{day:%d %b}" for day in days], values))


def reviews(team: Team) -> str:
    """Draw who reviewed most lately."""
    given = Counter(name for moment, name in team.rows(REVIEWS) if team.is_recent(moment))
    return screen(f"Reviews given in {RECENT} days", ranking(given))


def sprints(team: Team) -> str:
    """Draw the points of what was done in the last sprints, by type."""
    done: dict[str, Counter[int]] = defaultdict(Counter)
    issues = team.rows(ISSUES)
    for issue in issues:
        if issue.status == "Done":
            done[issue.issue_type][issue.sprint_id] += round(float(issue.story_points))
    last = max((issue.sprint_id for issue in issues), default=0)
    shown = [number for number in range(last - 11, last + 1) if number > 0]
    values = {kind: [done[kind][number] for number in shown] for kind in sorted(done)}
    return screen("Story points done, by sprint and type", bars([str(number) for number in shown], values))


def checks(team: Team) -> str:
    """Draw the share of check runs that failed in each week."""
    runs = [row for row in team.rows(CHECKS) if row.conclusion in {"success", "failure"}]
    weeks = team.by_week((run.started_at, 100 * (run.conclusion == "failure")) for run in runs)
    return screen("Failing check runs, %", lines(weeks_of(team), {"failing": means(weeks)}))


def hot_spots(team: Team) -> str:
    """Draw which files were changed by most pull requests lately."""
    changed = Counter(name for moment, name in team.rows(FILES) if team.is_recent(moment))
    return screen(f"Files in most pull requests, {RECENT} days", ranking(changed, 190))


SCREENS: tuple[Callable[[Team], str], ...] = (
    throughput,
    cycle_time,
    last_days,
    assistants,
    usage,
    answers,
    quality,
    coding,
    people,
    reviews,
    sprints,
    hot_spots,
    checks,
)


def page(team: Team) -> str:
    """Return the screens as one SVG; one that has nothing to show is left out."""
    drawn = [one for one in (draw(team) for draw in SCREENS) if one]
    rows = (len(drawn) + 1) // 2
    placed = [
        f'<g transform="translate({WIDTH * (place % 2)} {44 + HEIGHT * (place // 2)})">{one}</g>'
        for place, one in enumerate(drawn)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {44 + HEIGHT * rows}"'
        ' font-family="sans-serif" font-size="11" fill="#33383f">'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="14" y="28" font-size="18">{escape(team.name)}'
        f'</text><text x="{2 * WIDTH - 14}" y="28" text-anchor="end">{team.today:%d %B %Y}</text>'
        f"{''.join(placed)}</svg>\n"
    )


def screen(title: str, drawn: str) -> str:
    """Return a screen with its title; nothing where nothing is drawn."""
    return drawn and f'<text x="14" y="20" font-size="13" font-weight="bold">{escape(title)}</text>{drawn}'


def bars(names: Sequence[str], values: Mapping[str, Sequence[float]]) -> str:
    """Draw stacked bars."""
    if not any(any(column) for column in values.values()):
        return ""
    highest = nice(max(map(sum, zip(*values.values(), strict=True))))
    step, tall = (WIDTH - LEFT - RIGHT) / len(names), HEIGHT - TOP - BOTTOM
    below = [0.0] * len(names)
    parts = [axes(names, 0, highest), legend(values)]
    for colour, column in zip(COLOURS, values.values(), strict=False):
        for place, value in enumerate(column):
            below[place] += value
            if value:
                x, y = LEFT + step * (place + 0.1), TOP + tall * (1 - below[place] / highest)
                size = f'width="{step * 0.8:.1f}" height="{tall * value / highest:.1f}"'
                parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}"/>')
    return "".join(parts)


def lines(
    names: Sequence[str], values: Mapping[str, Sequence[float | None]], bottom: float = 0, top: float | None = None
) -> str:
    """Draw lines, each broken where there is no value."""
    there = [value for column in values.values() for value in column if value is not None]
    if not there:
        return ""
    highest = top or nice(max(there))
    step, tall = (WIDTH - LEFT - RIGHT) / len(names), HEIGHT - TOP - BOTTOM
    parts = [axes(names, bottom, highest), legend(values)]
    for colour, column in zip(COLOURS, values.values(), strict=False):
        path, is_on = "", False
        for place, value in enumerate(column):
            if value is not None:
                y = TOP + tall * (1 - (value - bottom) / ((highest - bottom) or 1))
                path += f"{'L' if is_on else 'M'}{LEFT + step * (place + 0.5):.1f} {y:.1f}"
            is_on = value is not None
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linecap="round"/>')
    return "".join(parts)


def ranking(counts: Counter[str], room: int = 140, most: int = 8) -> str:
    """Draw the largest counts as bars from left to right."""
    if not counts:
        return ""
    first = counts.most_common(1)[0][1]
    step = (HEIGHT - TOP - 10) / most
    letters = room // 6
    parts = []
    for place, (name, count) in enumerate(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:most]):
        y = TOP + step * place
        ends = f"…{name[1 - letters :]}" if "/" in name else f"{name[: letters - 1]}…"
        label = name if len(name) <= letters else ends
        long = (WIDTH - room - 70) * count / first
        parts.append(
            f'<text x="{room + 14}" y="{y + step * 0.6:.1f}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="{room + 20}" y="{y + 2:.1f}" width="{long:.1f}" height="{step - 6:.1f}" fill="{COLOURS[0]}"/>'
            f'<text x="{room + 25 + long:.1f}" y="{y + step * 0.6:.1f}">{count:,}</text>'
        )
    return "".join(parts)


def axes(names: Sequence[str], bottom: float, highest: float) -> str:
    """Draw three lines with their values, and some names below."""
    tall, step = HEIGHT - TOP - BOTTOM, (WIDTH - LEFT - RIGHT) / len(names)
    parts = []
    for share in (0, 0.5, 1):
        y, value = TOP + tall * (1 - share), bottom + share * (highest - bottom)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e3e5e8"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#777">{value:,.4g}</text>')
    each = max(1, len(names) // 6)
    for place in range(0, len(names), each):
        x = LEFT + step * (place + 0.5)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 9}" text-anchor="middle" fill="#777">{escape(names[place])}</text>'
        )
    return "".join(parts)


def legend(values: Mapping[str, Any]) -> str:
    """Return the names of several columns in their colours."""
    if len(values) == 1:
        return ""
    names = zip(COLOURS, values, strict=False)
    spans = "  ".join(f'<tspan fill="{colour}">■ {escape(name)} </tspan>' for colour, name in names)
    return f'<text x="{WIDTH - RIGHT}" y="34" text-anchor="end" xml:space="preserve">{spans}</text>'


def weeks_of(team: Team) -> list[str]:
    """Return the names of the weeks shown."""
    return [f"{week:%d %b}" for week in team.weeks]


def means(weeks: Sequence[Sequence[float]]) -> list[float | None]:
    """Return the mean of each four weeks up to each week, as single weeks jump."""
    four = [[value for week in weeks[max(0, end - 3) : end + 1] for value in week] for end in range(len(weeks))]
    return [fmean(values) if values else None for values in four]


def nice(value: float) -> float:
    """Return the next round number.

    >>> nice(7), nice(23), nice(84), nice(0.3)
    (8, 25.0, 100, 1)
    """
    size = 10 ** max(0, len(str(int(value))) - 1)
    return next((step * size for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8) if step * size >= value), 10 * size)


def day_of(moment: Any) -> date:
    """Return the day of what a database gives for a moment or a day: text, in SQLite."""
    if isinstance(moment, str):
        return date.fromisoformat(moment[:10])
    return moment.date() if isinstance(moment, datetime) else moment


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("database", help="a path of an SQLite file, or an address")
    options.add_argument("--team", help="the team's slug; the first by name if there are several")
    options.add_argument("--today", type=date.fromisoformat, default=datetime.now(UTC).date(), metavar="DATE")
    options.add_argument("--html", type=Path, metavar="FILE", help="write a page")
    options.add_argument("--svg", type=Path, metavar="FILE", help="write the picture alone")
    given = options.parse_args(arguments)
    url = given.database if "://" in given.database else f"sqlite:///{Path(given.database).resolve()}"
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            query = "SELECT id, slug, name FROM teams ORDER BY slug"
            found = next((one for one in connection.execute(text(query)).all() if given.team in {None, one.slug}), None)
            if found is None:
                options.error("there is no such team: run `seedjournal project` first")
            drawn = page(Team(connection, found.id, found.name, given.today))
    finally:
        engine.dispose()
    if given.svg:
        given.svg.write_text(drawn, encoding="utf-8")
    if given.html:
        head = f'<!doctype html><meta charset="utf-8"><title>{escape(found.name)}</title>'
        given.html.write_text(f'{head}<body style="margin:0 auto;max-width:1100px">{drawn}', encoding="utf-8")


if __name__ == "__main__":
    main()
