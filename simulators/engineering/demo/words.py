"""The words of the invented project: what it is made of, what is done to that and why, and who reviews and checks.

Every table is a part of the demo's format: a changed entry changes facts, and raises the demo's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import gcd
from types import MappingProxyType

# Area -> what it consists of. Plurals only: one verb fits all.
AREAS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "accounts": (
            *("sign-up forms", "password resets", "account merges", "login sessions"),
            *("profile photos", "trial periods", "invitations", "single sign-on redirects"),
        ),
        "analytics": (
            *("page views", "funnels", "cohort tables", "event queries"),
            *("retention charts", "dashboard tiles", "daily rollups", "tracking snippets"),
        ),
        "billing": (
            *("invoices", "card payments", "proration credits", "tax rates"),
            *("refunds", "plan changes", "payment reminders", "usage meters"),
        ),
        "catalog": (
            *("product variants", "price lists", "category trees", "product photos"),
            *("stock badges", "bundles", "attribute filters", "supplier feeds"),
        ),
        "checkout": (
            *("carts", "shipping quotes", "discount codes", "address forms"),
            *("order previews", "guest checkouts", "payment retries", "gift cards"),
        ),
        "exports": (
            *("CSV exports", "scheduled exports", "export links", "report archives"),
            *("column choices", "large downloads", "PDF exports", "export jobs"),
        ),
        "imports": (
            *("CSV imports", "column mappings", "import previews", "row errors"),
            *("import jobs", "duplicate checks", "spreadsheet uploads", "contact syncs"),
        ),
        "inventory": (
            *("stock counts", "warehouse transfers", "reorder points", "stock reservations"),
            *("barcode scans", "supplier orders", "damaged items", "stock forecasts"),
        ),
        "mail": (
            *("mail templates", "bounce reports", "unsubscribe links", "digest mails"),
            *("attachments", "sender addresses", "delivery logs", "mail queues"),
        ),
        "orders": (
            *("order lines", "partial shipments", "order notes", "cancellations"),
            *("returns", "packing slips", "order searches", "tracking numbers"),
        ),
        "permissions": (
            *("roles", "access tokens", "team grants", "audit entries"),
            *("guest links", "API scopes", "ownership transfers", "approval rules"),
        ),
        "reports": (
            *("monthly reports", "saved reports", "report filters", "pivot tables"),
            *("chart legends", "shared reports", "report schedules", "currency totals"),
        ),
        "search": (
            *("search results", "synonyms", "index rebuilds", "typo corrections"),
            *("search filters", "recent searches", "result snippets", "facet counts"),
        ),
        "settings": (
            *("workspace settings", "time zones", "feature flags", "language packs"),
            *("notification rules", "custom domains", "theme colours", "retention rules"),
        ),
        "sharing": (
            *("share links", "comments", "mentions", "embedded views"),
            *("public pages", "guest invites", "link previews", "expiry dates"),
        ),
        "webhooks": (
            *("webhook deliveries", "webhook secrets", "retry schedules", "payload versions"),
            *("event filters", "delivery attempts", "endpoint checks", "dead letters"),
        ),
    }
)
NAMES = tuple(AREAS)
OBJECTS = tuple((area, one) for area, objects in AREAS.items() for one in objects)

# What is done, to {o}. What users miss:
_FEATURES = (
    *("add bulk actions to {o}", "let admins pause {o}", "show who changed {o}", "add an API for {o}"),
    *("keep drafts of {o}", "sort {o} by last use", "group {o} by team", "make {o} readable on phones"),
    *("add keyboard shortcuts to {o}", "send a notice about {o}", "let users pin {o}", "show {o} in the sidebar"),
    *("allow notes on {o}", "archive {o}", "preview {o}", "undo changes of {o}"),
)
# What went wrong:
_FIXES = (
    *("retry {o}", "stop {o} from timing out", "do not lose {o}", "show an error for {o}"),
    *("count {o} once", "handle missing {o}", "round totals of {o}", "keep the order of {o}"),
    *("release the lock on {o}", "escape names in {o}", "do not load {o} twice", "validate {o}"),
    *("restore empty {o}", "repair the paging of {o}", "refresh stale {o}", "refuse {o} of another team"),
)
_REFACTORINGS = (
    *("split {o} from the controller", "move {o} to a worker", "drop callbacks in {o}", "give {o} types"),
    *("remove dead code around {o}", "share code between lists of {o}", "name states of {o}", "inline {o}"),
    *("simplify {o}", "use one query for {o}", "extract {o}", "turn {o} into a module"),
    *("pass a clock to {o}", "replace globals in {o}", "untangle {o}", "test {o} without a browser"),
)
_SPEEDUPS = (
    *("cache {o}", "batch {o}", "load {o} lazily", "add an index for {o}"),
    *("fetch {o} in parallel", "stream {o}", "count {o} in the database", "render fewer {o}"),
    *("avoid a query for each of the {o}", "compress {o}", "precompute {o}", "debounce {o}"),
    *("skip unchanged {o}", "read {o} from the replica", "limit {o}", "keep {o} in memory"),
)
_CHORES = (
    *("bump the library for {o}", "remove the flag for {o}", "log less about {o}", "rename settings of {o}"),
    *("delete old {o}", "pin versions for {o}", "clean up fixtures of {o}", "move icons of {o}"),
    *("raise the timeout for {o}", "add metrics for {o}", "tidy imports in {o}", "update licences of {o}"),
    *("seed {o} for development", "lint {o}", "add an owner for {o}", "drop the shim for {o}"),
)
_DOCS = (
    *("document {o}", "explain {o}", "add an example of {o}", "correct the page on {o}"),
    *("describe limits of {o}", "add screenshots of {o}", "list errors of {o}", "translate the page on {o}"),
    *("mend links about {o}", "say how to test {o}", "add a guide to {o}", "shorten the page on {o}"),
    *("add {o} to the glossary", "update the changelog for {o}", "draw a diagram of {o}", "add a FAQ on {o}"),
)
_TESTS = (
    *("cover {o}", "test {o} on a real database", "make tests of {o} steady", "test errors of {o}"),
    *("test limits of {o}", "add fixtures for {o}", "test {o} in two time zones", "split tests of {o}"),
    *("test rights on {o}", "speed up tests of {o}", "add a browser test of {o}", "test old {o}"),
    *("fuzz {o}", "test {o} under load", "test concurrent {o}", "check snapshots of {o}"),
)

# Where, when or for whom: what follows a deed. The first ones are short.
SYMPTOMS = (
    *("after a 502", "on Safari", "at midnight", "without a plan", "in dark mode", "after logout", "on slow networks"),
    *("with long names", "when two tabs are open", "after a 502 from the billing provider", "for deleted users"),
    *("on the last day of the month", "when the clocks change", "after a failed deploy", "in right-to-left languages"),
    *("for accounts without an address", "when the queue is full", "after the session has expired", "on old phones"),
    *("with more than 10,000 rows", "for workspaces in another region", "if the file has no header", "in Firefox"),
    *("when a worker restarts", "for currencies without cents", "when the cache is cold", "with two roles"),
    *("for users without a team", "during a deploy", "if the clock is wrong", "after a rename", "on leap days"),
)
_PLACES = (
    *("for admins", "per region", "in the API", "by default", "on mobile", "for guests", "behind a flag", "in bulk"),
    *("for large accounts", "in the sidebar", "for workspace owners", "from the command palette", "for auditors"),
    *("without a page reload", "on the overview page", "in the weekly digest", "for the new onboarding", "on tablets"),
    *("with the new design", "in all languages", "for invited partners", "across workspaces", "in the help centre"),
    *("in the background", "on the public pages", "for the sales team", "with a confirmation", "for trial users"),
    *("for support", "on the start page", "in the mobile app", "for all plans"),
)
_REASONS = (
    *("in the API", "in the worker", "again", "for good", "on the server", "in tests", "everywhere", "at last"),
    *("before the migration", "in two steps", "to shorten the build", "in the admin pages", "for the new schema"),
    *("as agreed in the review", "without a change for users", "in the nightly job", "in the shared package"),
    *("after the upgrade", "on the client", "for the next release", "in the public API", "behind the old interface"),
    *("in the web app", "for the audit", "in continuous integration", "in the importer", "for the rewrite"),
    *("in the test runner", "on staging", "in the scheduler", "for readability", "in the old service"),
)


# What a body says of the occasion, of something broken, wished for or taken back, and of how it was tried; {o} and {t}
# are the object and a tail.
PROBLEMS = (
    *("Support had {n} tickets about {o} this week.", "{O} were wrong {t} for {n} customers."),
    *("We saw this {t}: {o} did not arrive.", "The alert on {o} fired {n} times {t}."),
    *("A customer with {n} seats reported it {t}.", "Found while looking at {o} with {p}."),
    *("{O} are the slowest part of this page {t}.", "Since the last release {o} are wrong {t}."),
    *("{p} found {n} broken {o} in the logs.", "{O} fail {t}, about {n} times a day."),
)
WISHES = (
    *("{O} were asked for in the last {n} interviews.", "Follows what we said about {o} in planning."),
    *("The old code for {o} dates from the first release.", "This unblocks the work on {o}."),
    *("Today nobody can tell why {o} change {t}.", "{p} and I wanted this for {o} long since."),
    *("The first of {n} steps towards simpler {o}.", "New people ask about {o} every time."),
    *("Sales needs this for {o}, for {n} customers.", "Prepares {o} for the next release."),
)
BACK_AGAIN = (
    *("{O} were wrong {t} since then.", "Breaks {o} {t}.", "The alert on {o} fired {n} times after the deploy."),
    *("Support had {n} tickets about it.", "{p} saw errors in `{f}` {t}.", "It slowed {o} down; I will try again."),
    *("`{f}` cannot stay like this {t}.", "Not ready: {o} are lost {t}."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a pull request is for, as its title, branch and labels tell it.

    `plain` titles have no prefix. `files` says where its files lie: any, docs or test. `sizes` are the weights in the
    smallest, middle and largest third of sizes.
    """

    name: str
    deeds: tuple[str, ...]
    tails: tuple[str, ...]
    labels: tuple[str, ...]
    sizes: tuple[float, float, float]
    files: str = "any"
    occasions: tuple[str, ...] = WISHES


PURPOSES = (
    Purpose(
        name="fix",
        occasions=PROBLEMS,
        deeds=_FIXES,
        tails=SYMPTOMS,
        labels=("bug", "regression"),
        sizes=(0.42, 0.34, 0.16),
    ),
    Purpose(name="feat", deeds=_FEATURES, tails=_PLACES, labels=("feature", "enhancement"), sizes=(0.12, 0.28, 0.50)),
    Purpose(name="refactor", deeds=_REFACTORINGS, tails=_REASONS, labels=("tech debt",), sizes=(0.06, 0.11, 0.18)),
    Purpose(name="chore", deeds=_CHORES, tails=_REASONS, labels=("chore",), sizes=(0.20, 0.08, 0.05)),
    Purpose(
        name="perf",
        occasions=PROBLEMS,
        deeds=_SPEEDUPS,
        tails=SYMPTOMS,
        labels=("performance",),
        sizes=(0.04, 0.06, 0.04),
    ),
    Purpose(name="docs", deeds=_DOCS, tails=_PLACES, labels=("documentation",), sizes=(0.13, 0.07, 0.03), files="docs"),
    Purpose(name="test", deeds=_TESTS, tails=SYMPTOMS, labels=("testing",), sizes=(0.03, 0.06, 0.04), files="test"),
)
CHORE = PURPOSES[3]
HOTFIX = Purpose(
    name="hotfix", occasions=PROBLEMS, deeds=_FIXES, tails=SYMPTOMS, labels=("bug", "urgent"), sizes=(0, 0, 0)
)
REVERT = Purpose(name="revert", occasions=BACK_AGAIN, deeds=_FIXES, tails=SYMPTOMS, labels=("bug",), sizes=(0, 0, 0))
BY_SIZE = tuple(tuple((purpose, purpose.sizes[third]) for purpose in PURPOSES) for third in range(3))

# Every deed with every object and every tail.
TAILS = len(SYMPTOMS)
DEEDS = len(_FIXES) * len(OBJECTS)

TRIALS = (
    *("Tried by hand with {n} {o}.", "New tests cover {o} {t}.", "Tested on staging with {o} of {n} workspaces."),
    *("No migration is needed.", "The migration takes {n} seconds on a copy of production.", "Screens in the ticket."),
    *("Not covered: {o} {t}. That is a pull request of its own.", "Please look at `{f}` first."),
    *("Most of the change is in `{f}`.", "I left `{f}` as it is.", "Rolled out behind a flag, {n} % first."),
)

# What a review says of a file.
REMARKS = (
    *("What happens to {o} {t}?", "Could this be a function of its own?", "This name says nothing about {o}."),
    *("Please add a test for {o} {t}.", "We have a function for that next to {o}.", "Is this still needed?"),
    *("I would return early here.", "This runs once for each of the {o}, does it not?", "This hides errors of {o}."),
    *("Can {o} be empty here?", "Let us keep {o} out of this file.", "The comment does not fit any more."),
    *("This breaks {o} {t}, I think.", "Should this be {n} rather than a magic number?", "Nice, much shorter."),
    *("Who closes this {t}?", "I do not follow the second condition.", "This will be slow with {n} {o}."),
    *("Please say why {o} are left out.", "Can we do that in the database?", "Two of these lines are never reached."),
    *("Works for me with {n} {o}, but not {t}.", "Why not use the same as for {o}?", "Could {p} look at this, too?"),
    *("A log line would help {t}.", "This needs a lock {t}.", "The order of {o} is not certain here."),
    *("I would split this.", "This was different for {o}; on purpose?", "Typo: {o}."),
)
APPROVALS = (None, None, None, "LGTM", "Looks good to me.", "Thanks, reads well.", "Nice.", "👍", "Works for me.")
NOTES = (  # an approval that says more
    *("Good to go once the check is green.", "Tried it with {o}, works.", "`{f}` reads much better now, thanks."),
    *("Approved; the remark on `{f}` is only a thought.", "Works {t}, too.", "Checked `{f}` twice, fine."),
)

# Later commits of a pull request.
STEPS = (
    *("Fix lint", "Cover {o} with a test {t}", "Handle {o} {t}", "Rename the parameters in {b}", "Fix types in {b}"),
    *("Merge branch 'main' into {h}", "Simplify {b}", "Move {o} out of {b}", "Fix the test of {o} {t}", "wip"),
    *("Add a comment on {o}", "Undo the change in {b}", "Use the new name in {b}", "Fix typo", "Format {b}"),
    *("Add {o} to {b}", "Do not touch {o} {t}", "Make {b} pass again", "Update snapshots of {o}", "Split {b} in two"),
    *("Check {o} {t}", "Remove debugging from {b}", "Add a changelog entry for {o}", "Merge branch 'main' into {h}"),
    *("Return early from {b}", "Log more about {o} {t}", "Keep {o} out of {b}", "Count {o} once more {t}"),
)
ANSWERS = (  # to a review that requests changes
    *("Address review in {b}", "Address review comments on {o}", "Rework {b} after review", "Test {o} {t}"),
    *("Rename as suggested in {b}", "Split {b} as suggested", "Return early in {b}", "Explain {o} in {b}"),
)

_THINGS = (
    "adapter", "audit", "cache", "calendar", "client", "digest", "editor", "filters", "form", "history", "index",
    "invoice", "limits", "list", "metrics", "policy", "preview", "profile", "queue", "schema", "session", "summary",
    "tokens", "upload",
)  # fmt: skip

# Pattern and how many things have such a file.
_PATHS = (
    ("server/{area}/{thing}.py", 22),
    ("server/{area}/models/{thing}.py", 10),
    ("server/{area}/queries/{thing}.sql", 4),
    ("workers/{area}/{thing}.go", 6),
    ("tests/{area}/test_{thing}.py", 11),
    ("web/src/{area}/{thing}.test.tsx", 5),
    ("web/src/{area}/{thing}.tsx", 24),
    ("web/src/{area}/{thing}.css", 5),
    ("web/src/{area}/{thing}.ts", 9),
    ("web/scripts/{area}-{thing}.mjs", 2),
    ("docs/{area}/{thing}.md", 22),
    ("config/{area}/{thing}.yaml", 9),
    ("web/locales/{area}/{thing}.json", 5),
    ("web/public/{area}/{thing}.svg", 5),
    ("fixtures/{area}/{thing}.csv", 2),
)
ROOT = (
    "CHANGELOG.md", "README.md", "pyproject.toml", "package.json", "package-lock.json", "requirements.txt", "Makefile",
    ".github/workflows/checks.yml", ".github/workflows/release.yml", "Dockerfile", "docs/index.md", ".gitignore",
)  # fmt: skip
# Where a file of one's own lies: the last part is the pull request's.
OWN = {
    "any": (
        *(
            "server/{area}/{own}.py",
            "web/src/{area}/{own}.tsx",
            "tests/{area}/test_{own}.py",
            "web/src/{area}/{own}.ts",
        ),
        *("server/migrations/{own}.sql", "web/src/{area}/{own}.test.tsx", "config/{area}/{own}.yaml"),
        *("docs/{area}/{own}.md", "web/public/{area}/{own}.svg"),
    ),
    "docs": ("docs/{area}/{own}.md",),
    "test": ("tests/{area}/test_{own}.py", "web/src/{area}/{own}.test.tsx"),
}


def _paths(area: str, word: str) -> tuple[str, ...]:
    """Return an area's paths for a use, in an order of its own: the first ones are changed most."""
    found = [
        pattern.format(area=area, thing=_THINGS[(place * 7 + number * 5) % len(_THINGS)])
        for number, (pattern, count) in enumerate(_PATHS)
        for place in range(count)
        if word in pattern
    ]
    first = 11 * NAMES.index(area) % len(found)
    return (*found[first:], *found[:first])


# Use -> area -> the files that are there from the beginning.
_POOLS = {
    "any": {area: _paths(area, "") for area in NAMES},
    "docs": {area: _paths(area, "docs") for area in NAMES},
    "test": {area: _paths(area, "test") for area in NAMES},
}
_ORDINALS = ("view", "list", "form", "model", "query", "task", "types", "state", "rules", "store", "table", "page")


@cache
def pools(use: str, area: str, turn: int) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return an area's files for a use, those of a neighbour (of three, by turns), and those of all the rest."""
    files = _POOLS[use]
    place = NAMES.index(area)
    neighbour = NAMES[(place + (1, 5, 11)[turn]) % len(NAMES)]
    rest = tuple(path for name in NAMES if name not in {area, neighbour} for path in files[name])
    return files[area], files[neighbour], rest


@cache
def steps(size: int) -> tuple[int, ...]:
    """Return the steps that pass everything in a pool of that size."""
    return tuple(step for step in range(1, size + 1) if gcd(step, size) == 1)


def numbered(own: str, place: int) -> str:
    """Return the name of the pull request's own file with that place."""
    if not place:
        return own
    turn, word = divmod(place - 1, len(_ORDINALS))
    return f"{own}_{_ORDINALS[word]}" + "_more" * turn


FILE_STATUSES = (("modified", 0.77), ("added", 0.155), ("removed", 0.04), ("renamed", 0.03), ("copied", 0.005))

REVIEW_STATES = (("commented", 0.56), ("changes_requested", 0.30), ("approved", 0.12), ("dismissed", 0.02))

# Programs that review; all but the last are AI services.
REVIEW_BOTS = (
    ("coderabbitai[bot]", 0.45),
    ("copilot-pull-request-reviewer[bot]", 0.35),
    ("sonarqubecloud[bot]", 0.20),
)
BOT_REMARKS = (
    *("Actionable comments posted: {n}. First: `{f}`, which handles {o}.", "Reviewed {n} lines. No issues in `{f}`."),
    *("`{f}`: consider a guard for {o} {t}.", "Summary: this changes how {o} behave {t}; see `{f}`."),
    *("Quality gate passed for `{f}`.", "`{f}`: possibly unhandled error {t}."),
)

CHECKS = ("lint", "unit tests", "build", "end-to-end tests")
SKIPPED = frozenset({"unit tests", "end-to-end tests"})  # by a pull request of docs alone

# The tools that help: trailer, and how a body tells of it. Addresses are the tools' own.
AI_TOOLS = MappingProxyType(
    {
        "claude": ("Co-Authored-By: Claude <noreply@anthropic.com>", "Written with the help of Claude."),
        "copilot": ("Co-authored-by: Copilot <copilot@github.com>", "Written with the help of Copilot."),
        "cursor": ("Co-authored-by: Cursor <cursoragent@cursor.com>", "Written with the help of Cursor."),
    }
)
NO_AI = "No AI tool was used: nothing here was written with Copilot."
