"""The words of the invented project: what it is made of, what is done to that and why, and who reviews and checks.

Every table is a part of the demo's format: a changed entry changes facts, and raises the demo's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
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
Deeds = tuple[tuple[str, str], ...]
OBJECTS = tuple((area, one) for area, objects in AREAS.items() for one in objects)

# What is done, to {o}, and how files and branches say so, where {o} is what it is done to. What users miss:
_FEATURES: Deeds = (
    *(("add bulk actions to {o}", "{o} bulk actions"), ("let admins pause {o}", "{o} pausing")),
    *(("show who changed {o}", "{o} changes"), ("add an API for {o}", "{o} public api")),
    *(("keep drafts of {o}", "{o} drafts"), ("sort {o} by last use", "{o} sorting")),
    *(("group {o} by team", "{o} by team"), ("make {o} readable on phones", "{o} on phones")),
    *(("add keyboard shortcuts to {o}", "{o} shortcuts"), ("send a notice about {o}", "{o} notices")),
    *(("let users pin {o}", "{o} pins"), ("show {o} in the sidebar", "{o} sidebar")),
    *(("allow notes on {o}", "{o} notes"), ("archive {o}", "{o} archive")),
    *(("preview {o}", "{o} preview"), ("undo changes of {o}", "{o} undo")),
)
# What went wrong:
_FIXES: Deeds = (
    *(("retry {o}", "retry {o}"), ("stop {o} from timing out", "{o} timeout")),
    *(("do not lose {o}", "lost {o}"), ("show an error for {o}", "{o} error")),
    *(("count {o} once", "{o} count"), ("handle missing {o}", "missing {o}")),
    *(("round totals of {o}", "{o} rounding"), ("keep the order of {o}", "{o} order")),
    *(("release the lock on {o}", "{o} lock"), ("escape names in {o}", "{o} escaping")),
    *(("do not load {o} twice", "{o} loaded twice"), ("validate {o}", "{o} validation")),
    *(("restore empty {o}", "empty {o}"), ("repair the paging of {o}", "{o} paging")),
    *(("refresh stale {o}", "stale {o}"), ("refuse {o} of another team", "{o} access")),
)
_REFACTORINGS: Deeds = (
    *(("split {o} from the controller", "split {o}"), ("move {o} to a worker", "{o} worker")),
    *(("drop callbacks in {o}", "{o} callbacks"), ("give {o} types", "{o} types")),
    *(("remove dead code around {o}", "{o} dead code"), ("share code between lists of {o}", "{o} shared lists")),
    *(("name states of {o}", "{o} states"), ("inline {o}", "inline {o}")),
    *(("simplify {o}", "simpler {o}"), ("use one query for {o}", "{o} query")),
    *(("extract {o}", "extract {o}"), ("turn {o} into a module", "{o} module")),
    *(("pass a clock to {o}", "{o} clock"), ("replace globals in {o}", "{o} globals")),
    *(("untangle {o}", "untangle {o}"), ("decouple {o}", "decouple {o}")),
)
_SPEEDUPS: Deeds = (
    *(("cache {o}", "{o} cache"), ("batch {o}", "batch {o}")),
    *(("load {o} lazily", "lazy {o}"), ("add an index for {o}", "{o} index")),
    *(("fetch {o} in parallel", "parallel {o}"), ("stream {o}", "stream {o}")),
    *(("count {o} in the database", "{o} counted by database"), ("render fewer {o}", "fewer {o}")),
    *(("avoid a query for each of the {o}", "{o} joined"), ("compress {o}", "compress {o}")),
    *(("precompute {o}", "precomputed {o}"), ("debounce {o}", "debounce {o}")),
    *(("skip unchanged {o}", "unchanged {o}"), ("read {o} from the replica", "{o} replica")),
    *(("limit {o}", "{o} limit"), ("keep {o} in memory", "{o} in memory")),
)
_CHORES: Deeds = (
    *(("bump the library for {o}", "bump {o}"), ("remove the flag for {o}", "{o} flag")),
    *(("log less about {o}", "{o} logging"), ("rename settings of {o}", "{o} settings")),
    *(("delete old {o}", "old {o}"), ("pin versions for {o}", "pin {o}")),
    *(("clean up fixtures of {o}", "{o} fixtures"), ("move icons of {o}", "{o} icons")),
    *(("raise the timeout for {o}", "{o} longer timeout"), ("add metrics for {o}", "{o} metrics")),
    *(("tidy imports in {o}", "{o} tidy"), ("update licences of {o}", "{o} licences")),
    *(("seed {o} for development", "seed {o}"), ("lint {o}", "lint {o}")),
    *(("add an owner for {o}", "{o} owner"), ("drop the shim for {o}", "{o} shim")),
)
_DOCS: Deeds = (
    *(("document {o}", "{o} overview"), ("explain {o}", "{o} explained")),
    *(("add an example of {o}", "{o} example"), ("correct the page on {o}", "{o} corrections")),
    *(("describe limits of {o}", "limits of {o}"), ("add screenshots of {o}", "{o} screenshots")),
    *(("list errors of {o}", "errors of {o}"), ("translate the page on {o}", "{o} translation")),
    *(("mend links about {o}", "{o} links"), ("say how to try {o}", "{o} tryout")),
    *(("add a guide to {o}", "{o} guide"), ("shorten the page on {o}", "{o} in short")),
    *(("add {o} to the glossary", "{o} glossary"), ("update the changelog for {o}", "{o} changelog")),
    *(("draw a diagram of {o}", "{o} diagram"), ("add a FAQ on {o}", "{o} faq")),
)
_TESTS: Deeds = (
    *(("cover {o}", "{o} coverage"), ("test {o} on a real database", "{o} database")),
    *(("make tests of {o} steady", "steady {o}"), ("test errors of {o}", "{o} failing")),
    *(("test limits of {o}", "{o} at the limit"), ("add fixtures for {o}", "{o} more fixtures")),
    *(("test {o} in two time zones", "{o} zones"), ("split tests of {o}", "{o} in parts")),
    *(("test rights on {o}", "{o} rights"), ("speed up tests of {o}", "quick {o}")),
    *(("add a browser test of {o}", "{o} in browser"), ("test the old format of {o}", "{o} old format")),
    *(("fuzz {o}", "fuzz {o}"), ("test {o} under load", "{o} under load")),
    *(("test concurrent {o}", "concurrent {o}"), ("check snapshots of {o}", "{o} snapshots")),
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
_LOADS = (
    *("for large accounts", "on slow networks", "in the API", "on the overview page", "in the worker", "on old phones"),
    *("with more than 10,000 rows", "for workspaces in another region", "when the cache is cold", "on tablets"),
    *("when the queue is full", "in the nightly job", "in the weekly digest", "after the upgrade", "on Safari"),
    *("in the sidebar", "during a deploy", "on the start page", "in the importer", "for guests", "on the server"),
    *("in the mobile app", "on the public pages", "for auditors", "on the last day of the month", "in the scheduler"),
    *(
        "in the command palette",
        "for accounts with many users",
        "in bulk",
        "for free plans",
        "in the admin pages",
        "at peak",
    ),
)
_REASONS = (
    *("in the API", "in the worker", "again", "for good", "on the server", "in tests", "everywhere", "at last"),
    *("before the migration", "in two steps", "to shorten the build", "in the admin pages", "for the new schema"),
    *("as agreed in the review", "without a change for users", "in the nightly job", "in the shared package"),
    *("after the upgrade", "on the client", "for the next release", "in the public API", "behind the old interface"),
    *("in the web app", "for the audit", "in continuous integration", "in the importer", "for the rewrite"),
    *("in the test runner", "on staging", "in the scheduler", "for readability", "in the old service"),
)


# What a body says of the occasion, and of how it was tried; {o} and {t} are the object and a tail, {n} is a number, {m}
# a small one, {p} a colleague, {f} a file.
PROBLEMS = (
    *("Support had {n} tickets about {o} this week.", "{O} were wrong {t} for {m} customers."),
    *("We saw this {t}: {o} did not arrive.", "The alert on {o} fired {m} times {t}."),
    *("A customer with {n} seats reported it {t}.", "Found while looking at {o} with {p}."),
    *("{O} have been wrong {t} since the last release.", "We could reproduce it with {o} {t}."),
    *("{p} found {n} broken {o} in the logs.", "{O} fail {t}, about {m} times a day."),
)
SLOW = (
    *("{O} are the slowest part of this page.", "Loading {o} took {m} seconds {t}.", "{p} profiled it with {n} {o}."),
    *("A customer with {n} seats waits {m} seconds for {o}.", "The query for {o} was {m} times slower {t}."),
    *("{O} took {n} % of the time of this request.", "The dashboard shows {m} slow requests an hour for {o}."),
)
WISHES = (
    *("{m} customers asked for this in interviews.", "Follows what we said about {o} in planning."),
    *("This unblocks the work on {o}.", "The design is in the ticket.", "First part of what we want to do with {o}."),
    *("Today nobody can tell why {o} change {t}.", "{p} and I have wanted this for {o} for a long time."),
    *("Sales needs this for {o}, for {m} customers.", "Prepares {o} for the next release."),
    *("Support is asked for this about {m} times a week.", "The beta group tried it with {n} {o}."),
)
UPKEEP = (
    *("The old code for {o} dates from the first release.", "This unblocks the work on {o}.", "No change for users."),
    *("The first of {m} steps towards simpler {o}.", "Came up in the review of a change to {o}."),
    *("Nobody dared to touch {o} any more.", "{p} and I stumbled over this in {o}.", "Prepares {o} for the upgrade."),
    *("We had this in {m} places.", "Follows what we agreed on {o} last week."),
)
QUESTIONS = (
    *("New people ask about {o} every time.", "Support was asked about {o} {m} times last week."),
    *("The page on {o} was out of date.", "{p} could not find anything on {o}.", "Follows the last change to {o}."),
    *("Nothing said what {o} do {t}.", "A customer followed the old page on {o}, and it did not work."),
)
GAPS = (
    *("A test of {o} failed {m} times this week without a reason.", "Nothing tested {o} {t}."),
    *("We broke {o} twice this quarter.", "Found with {p} after the last incident.", "{O} had no tests {t}."),
    *("This runs in {m} seconds.", "Before we change {o}, this says what they do today."),
)
BACK_AGAIN = (
    *("{O} were wrong {t} since then.", "Breaks {o} {t}.", "The alert on {o} fired {m} times after the deploy."),
    *("Support had {m} tickets about it.", "{p} saw errors in `{f}` {t}.", "It slowed {o} down; I will try again."),
    *("`{f}` cannot stay like this {t}.", "Not ready: {o} are lost {t}."),
)

TRIALS = (
    *("Tried by hand with {n} {o}.", "The tests cover {o} {t}.", "Tested on staging with {o} of {n} workspaces."),
    *("No migration is needed.", "Deployed to staging since yesterday.", "Screens are in the ticket."),
    *("Not covered: {o} {t}. That is a pull request of its own.", "Please look at `{f}` first."),
    *("Most of the change is in `{f}`.", "I am not sure about `{f}`.", "Behind a flag, for {m} % first."),
)
READINGS = (  # of a page
    *(
        "{p} read it.",
        "The preview is built.",
        "Please look at `{f}` first.",
        "I left out {o} {t}.",
        "Links are checked.",
    ),
    *("Screens are from staging.", "Most of it is in `{f}`.", "Names are as in the product now."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What a pull request is for, as its title, branch and labels tell it.

    `files` says where its files lie: any, docs or test. `sizes` are the weights in the smallest, middle and largest
    third of sizes. Of the lines that change, the shares that go are drawn from `deleted`, a part of those of all.
    """

    name: str
    deeds: Deeds
    tails: tuple[str, ...]
    labels: tuple[str, ...]
    sizes: tuple[float, float, float] = (0, 0, 0)
    files: str = "any"
    occasions: tuple[str, ...] = PROBLEMS
    trials: tuple[str, ...] = TRIALS
    deleted: tuple[float, float] = (0, 1)


FIX, FEATURE, REFACTORING, CHORE, SPEEDUP, DOCS, TEST = PURPOSES = (
    Purpose(name="fix", deeds=_FIXES, tails=SYMPTOMS, labels=("bug",), sizes=(0.42, 0.34, 0.16)),
    Purpose(
        name="feat",
        deeds=_FEATURES,
        tails=_PLACES,
        labels=("feature", "enhancement"),
        sizes=(0.12, 0.28, 0.50),
        occasions=WISHES,
        deleted=(0, 0.8),
    ),
    Purpose(
        name="refactor",
        deeds=_REFACTORINGS,
        tails=_REASONS,
        labels=("refactoring",),
        sizes=(0.06, 0.11, 0.18),
        occasions=UPKEEP,
        deleted=(0.4, 1),
    ),
    Purpose(
        name="chore",
        deeds=_CHORES,
        tails=_REASONS,
        labels=("chore",),
        sizes=(0.20, 0.08, 0.05),
        occasions=UPKEEP,
        deleted=(0.3, 1),
    ),
    Purpose(
        name="perf",
        deeds=_SPEEDUPS,
        tails=_LOADS,
        labels=("performance",),
        sizes=(0.04, 0.06, 0.04),
        occasions=SLOW,
    ),
    Purpose(
        name="docs",
        deeds=_DOCS,
        tails=_PLACES,
        labels=("documentation",),
        sizes=(0.13, 0.07, 0.03),
        files="docs",
        occasions=QUESTIONS,
        trials=READINGS,
        deleted=(0, 0.9),
    ),
    Purpose(
        name="test",
        deeds=_TESTS,
        tails=SYMPTOMS,
        labels=("tests",),
        sizes=(0.03, 0.06, 0.04),
        files="test",
        occasions=GAPS,
        deleted=(0, 0.8),
    ),
)
HOTFIX = Purpose(name="hotfix", deeds=_FIXES, tails=SYMPTOMS, labels=("bug", "urgent"))
REVERT = Purpose(name="revert", deeds=_FIXES, tails=SYMPTOMS, labels=("bug",), occasions=BACK_AGAIN)
BY_SIZE = tuple(tuple((purpose, purpose.sizes[third]) for purpose in PURPOSES) for third in range(3))

# Every deed with every object and every tail.
TAILS = len(SYMPTOMS)
DEEDS = len(_FIXES) * len(OBJECTS)

# What a review says of a file, by what the file is.
REMARKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "code": (
            *("What happens to {o} {t}?", "Could this be a function of its own?", "This name says little about {o}."),
            *("Please add a test for {o} {t}.", "We have a function for that next to {o}.", "Is this still needed?"),
            *("I would return early here.", "This runs once for each of the {o}, does it not?", "This hides errors."),
            *("Can {o} be empty here?", "Let us keep {o} out of this file.", "The comment does not fit any more."),
            *(
                "This breaks {o} {t}, I think.",
                "Why {n}? Can this be a setting?",
                "This name is used for something else.",
            ),
            *("Who closes this {t}?", "I do not follow the second condition.", "This will be slow with {n},000 {o}."),
            *(
                "Please say why {o} are left out.",
                "Can we do that in the database?",
                "These two lines are never reached.",
            ),
            *(
                "Works for me with {n} {o}, but not {t}.",
                "Why not use the same as for {o}?",
                "Could {p} look at this, too?",
            ),
            *("A log line would help {t}.", "This needs a lock {t}.", "Is the order of {o} certain here?"),
            *("I would split this.", "This was different for {o}; on purpose?", "Typo in the name."),
        ),
        "test": (
            *("What about {o} {t}?", "This passes without the change, too.", "Can we do without the sleep?"),
            *("I would split this into {m} tests.", "The name does not say what it tests.", "Is the mock needed?"),
            *("This depends on the order of {o}.", "Please test {o} {t} as well.", "What if {o} are empty?"),
            *("Could this be a fixture?", "This fails for me about once in {n} runs."),
        ),
        "docs": (
            *("Say what happens to {o} {t}.", "I would begin with an example.", "This link is dead."),
            *("We call them {o} everywhere else.", "Shorter, please.", "Typo.", "Is this still true {t}?"),
            *(
                "A picture would help here.",
                "Who is this page for?",
                "Is this in the glossary?",
                "Could {p} read this, too?",
            ),
        ),
        "data": (
            *("Is {n} enough {t}?", "Why did this change?", "Can this have a comment?", "Please sort these."),
            *("Do we need this for {o}, too?", "Staging has another value.", "This is the default already."),
            *("Could {p} look at this, too?", "Looks generated; should it be in git?"),
        ),
    }
)
APPROVALS = (None, None, None, "LGTM", "Looks good to me.", "Thanks, reads well.", "Nice.", "👍", "Works for me.")
NOTES = (  # an approval that says more
    *("Good to go once the check is green.", "Tried it with {o}, works.", "`{f}` reads much better now, thanks."),
    *("Approved; what I said on `{f}` is only a thought.", "Works {t}, too.", "Checked `{f}` twice, fine."),
)

# Later commits of a pull request, by what the file is that they are about.
STEPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "code": (
            *(
                "Fix lint",
                "Cover {o} with a test {t}",
                "Handle {o} {t}",
                "Rename the parameters in {b}",
                "Fix types in {b}",
            ),
            *("Merge branch 'main' into {h}", "Simplify {b}", "Move {o} out of {b}", "Fix the test of {o} {t}", "wip"),
            *("Add a comment on {o}", "Undo the change in {b}", "Use the new name in {b}", "Fix typo", "Format {b}"),
            *(
                "Add {o} to {b}",
                "Leave {o} alone {t}",
                "Make {b} pass again",
                "Update snapshots of {o}",
                "Split {b} in two",
            ),
            *("Check {o} {t}", "Remove debugging from {b}", "Add a changelog entry", "Merge branch 'main' into {h}"),
            *("Return early from {b}", "Log more about {o} {t}", "Keep {o} out of {b}", "Count {o} once more {t}"),
        ),
        "test": (
            *("Test {o} {t}", "Make {b} steady", "Split {b}", "Name the cases in {b}", "Merge branch 'main' into {h}"),
            *("Fix lint", "Remove the sleep from {b}", "Share fixtures with {b}", "Add {o} {t} to {b}", "Fix {b}"),
        ),
        "docs": (
            *("Fix typo", "Shorten {b}", "Fix links in {b}", "Add an example to {b}", "Reword the part on {o}"),
            *("Say what {o} do {t}", "Update the picture in {b}", "Merge branch 'main' into {h}", "Format {b}"),
        ),
        "data": (
            *("Fix {b}", "Sort {b}", "Update {b}", "Merge branch 'main' into {h}", "Add {o} to {b}", "Format {b}"),
            *("Remove what is not used from {b}", "Use the default in {b}", "Fix lint", "Restore {b}"),
        ),
    }
)
ANSWERS: Mapping[str, tuple[str, ...]] = MappingProxyType(  # to a review that requests changes
    {
        "code": (
            *("Address review in {b}", "Address review comments on {o}", "Rework {b} after review", "Test {o} {t}"),
            *("Rename as suggested in {b}", "Split {b} as suggested", "Return early in {b}", "Explain {o} in {b}"),
        ),
        "test": ("Address review in {b}", "Test {o} {t}", "Split {b} as suggested", "Name the cases in {b}"),
        "docs": ("Address review in {b}", "Reword {b} as suggested", "Add {o} {t} to {b}", "Shorten {b} after review"),
        "data": (
            "Address review in {b}",
            "Undo the change in {b}",
            "Explain the values in {b}",
            "Sort {b} as suggested",
        ),
    }
)


@lru_cache(maxsize=8_192)
def kind_of(path: str) -> str:
    """Return what a file is, for those who write about it: code, test, docs or data.

    >>> kind_of("docs/mail/guide.md"), kind_of("web/src/mail/form.test.tsx"), kind_of("config/mail/limits.yaml")
    ('docs', 'test', 'data')
    """
    if path.endswith(".md"):
        return "docs"
    if "test" in path:
        return "test"
    return "code" if path.endswith((".py", ".go", ".ts", ".tsx", ".mjs", ".sql")) else "data"


@lru_cache(maxsize=65_536)
def in_short(deed: str, tail: str = "") -> str:
    """Return what is done, and the end of where or when, as files are named.

    >>> in_short("missing price lists", "after a 502 from the billing provider")
    'missing_price_lists_billing_provider'
    """
    return "_".join((written(deed), *written(tail).split("_")[-2:])) if tail else written(deed)


@lru_cache(maxsize=8_192)
def written(text: str) -> str:
    """Return a text as files and branches write it: letters only, since a number could pass for an issue's.

    >>> written("limits of CSV exports after a 502")
    'limits_csv_exports_after_outage'
    """
    letters = "".join(one if "a" <= one <= "z" else " " for one in text.lower().replace("502", "outage"))
    return "_".join(word for word in letters.split() if word not in _SMALL)


_SMALL = frozenset("a an and are for has have if in is no not of on than the them to was when with without".split())

# Pattern, what the names of files end in, and how many things have such a file.
_PATHS = (
    ("server/{area}/{thing}.py", ("", "_service", "_rules"), 22),
    ("server/{area}/models/{thing}.py", ("", "_history"), 10),
    ("server/{area}/queries/{thing}.sql", ("",), 4),
    ("workers/{area}/{thing}.go", ("",), 6),
    ("tests/{area}/test_{thing}.py", ("", "_service"), 11),
    ("web/src/{area}/{thing}.test.tsx", ("_list",), 5),
    ("web/src/{area}/{thing}.tsx", ("_list", "_form", "_page"), 24),
    ("web/src/{area}/{thing}.css", ("_list",), 5),
    ("web/src/{area}/{thing}.ts", ("", "_api"), 9),
    ("web/scripts/{area}/{thing}.mjs", ("",), 2),
    ("docs/{area}/{thing}.md", ("", "_api", "_setup"), 22),
    ("config/{area}/{thing}.yaml", ("", "_limits"), 9),
    ("web/locales/{area}/{thing}.json", ("",), 5),
    ("web/public/{area}/{thing}.svg", ("",), 5),
    ("fixtures/{area}/{thing}.csv", ("",), 2),
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


def _paths(area: str, word: str) -> tuple[tuple[str, str], ...]:
    """Return an area's paths for a use, each with the object that it is about: the first ones are changed most."""
    objects = AREAS[area]
    found = []
    for number, (pattern, ends, count) in enumerate(_PATHS):
        if word not in pattern:
            continue
        for place in range(count):
            turn, which = divmod((place * 7 + number * 5) % (len(ends) * len(objects)), len(objects))
            found.append((pattern.format(area=area, thing=written(objects[which]) + ends[turn]), objects[which]))
    first = 11 * NAMES.index(area) % len(found)
    return (*found[first:], *found[:first])


# Use -> area -> the files that are there from the beginning, with their objects.
POOLS = {
    use: {area: _paths(area, word) for area in NAMES} for use, word in (("any", ""), ("docs", "docs"), ("test", "test"))
}
_ORDINALS = ("view", "list", "form", "model", "query", "task", "types", "state", "rules", "store", "table", "page")
Pool = tuple[str, ...]


@cache
def pools(use: str, area: str, name: str, turn: int) -> tuple[Pool, Pool, Pool, Pool]:
    """Return an object's files for a use, the area's others, a neighbour's (one of three, by turns), and the rest."""
    its = [path for path, about in POOLS[use][area] if about == name]
    its.sort(key=lambda path: kind_of(path) != "code")  # what is changed first
    return tuple(its), tuple(path for path, about in POOLS[use][area] if about != name), *_beyond(use, area, turn)


@cache
def _beyond(use: str, area: str, turn: int) -> tuple[Pool, Pool]:
    """Return the files of an area's neighbour, and those of all others."""
    neighbour = NAMES[(NAMES.index(area) + (1, 5, 11)[turn]) % len(NAMES)]
    others = [path for one in NAMES if one not in {area, neighbour} for path, _ in POOLS[use][one]]
    return tuple(path for path, _ in POOLS[use][neighbour]), tuple(others)


@cache
def steps(size: int) -> tuple[int, ...]:
    """Return the steps that pass everything in a pool of that size."""
    return tuple(step for step in range(1, size + 1) if gcd(step, size) == 1)


def numbered(own: str, place: int) -> str:
    """Return the name of the pull request's own file with that place.

    >>> numbered("mail_queues_limit", 0), numbered("mail_queues_limit", 1), numbered("mail_queues_limit", 13)
    ('mail_queues_limit', 'mail_queues_limit_view', 'mail_queues_limit_view_2')
    """
    if not place:
        return own
    turn, word = divmod(place - 1, len(_ORDINALS))
    return f"{own}_{_ORDINALS[word]}" + (f"_{turn + 1}" if turn else "")


FILE_STATUSES = (("modified", 0.77), ("added", 0.155), ("removed", 0.04), ("renamed", 0.03), ("copied", 0.005))

REVIEW_STATES = (("commented", 0.56), ("changes_requested", 0.30), ("approved", 0.12), ("dismissed", 0.02))

# Programs that review; all but the last are AI services.
REVIEW_BOTS = (
    ("coderabbitai[bot]", 0.45),
    ("copilot-pull-request-reviewer[bot]", 0.35),
    ("sonarqubecloud[bot]", 0.20),
)
BOT_REMARKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "coderabbitai[bot]": (
            *("Actionable comments posted: {m}. First: `{f}`.", "No actionable comments were generated."),
            *("`{f}`: consider a guard for {o} {t}.", "Summary: this changes how {o} behave {t}; see `{f}`."),
        ),
        "copilot-pull-request-reviewer[bot]": (
            *("Reviewed {m} files and generated no comments.", "`{f}`: possibly unhandled error {t}."),
            *(
                "This pull request changes how {o} behave {t}; see `{f}`.",
                "`{f}`: the name does not say that {o} change.",
            ),
        ),
        "sonarqubecloud[bot]": (
            *("Quality gate passed.", "Quality gate passed: {m} new issues, {n} % coverage on new code."),
            *("Quality gate failed: {n} % coverage on new code.", "Quality gate passed: no new issues in `{f}`."),
        ),
    }
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
