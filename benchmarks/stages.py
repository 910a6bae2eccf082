"""The stages of a course, in the order in which they are run. Floor and step alternate over the repeats."""

from __future__ import annotations

import shutil

from .course import Course, write_chosen
from .options import ROOT
from .processes import Sample, own, seedjournal

COLD = "record, cold"
APPEND_FLOOR = "append floor"
APPEND = "append alone"
DIGEST = "reading the source"
AGAIN = "record again, inputs equal"
NO_REUSE = "record again, --no-reuse"
PROJECT = "project, cold"
RESTORE_FLOOR = "restore floor"
OTHERS = "project, cold, into tables of others"
COPY_FLOOR = "COPY into the same tables"
PROJECT_AGAIN = "project again"
CHANGED = "record, 100 changed"
CHANGED_NO_REUSE = "record again, the changed source"
PROJECT_CHANGED = "project, 100 changed"
DIFF = "diff, 100 changed"
VERIFY = "verify"
HELP = "--help"
LOG = "log"
DISK = "journal on disk"
TENTH_COLD = "record, cold, at a tenth"
TENTH_PROJECT = "project, cold, at a tenth"
THREEFOLD = "every step at three times the events"
FIRST = ("record, first time", "project, first time")
SECOND = ("record, second time", "project, second time")

_ALTERED = 50  # pull requests: two entities each
_BEST_OF = 5


def append(course: Course) -> None:
    """Record into a new journal; the append floor; the append step alone, with the same events ready in memory."""
    for _ in range(course.repeats):
        course.record_cold(COLD)
        if not course.floors:
            continue
        file = str(course.events_file())
        for step, module, floor in ((APPEND_FLOOR, "floors", ("append",)), (APPEND, "append", ())):
            url = course.new("append")
            seedjournal(("migrate", "--journal", url, "--quiet"), course.folder)
            course.own(step, module, *floor, url, file)
            course.make.drop(url)


def disk(course: Course) -> None:
    """Return the journal's size beside the sum of its events' canonical bytes."""
    size, canonical = course.make.sizes(course.journal)
    course.add(DISK, Sample(seconds=0, cpu=0, peak=0, whole=False, facts={"size": size, "canonical": canonical}))


def again(course: Course) -> None:
    """Record the same inputs again, and read the source alone, as that has to."""
    _ = course.journal
    for _ in range(course.repeats):
        course.own(DIGEST, "sources", "digest", course.data.source, *course.data.settings)
        course.record(AGAIN)


def no_reuse(course: Course) -> None:
    """Record the same inputs again the long way."""
    _ = course.journal
    for _ in range(course.repeats):
        course.record(NO_REUSE, "--no-reuse")


def project(course: Course) -> None:
    """Project into a new target; restore what is then there from a dump."""
    dump = course.folder / "target.dump"
    for repeat in range(course.repeats):
        course.project_cold(PROJECT)
        if not course.floors:
            continue
        if repeat == 0:
            course.make.dump(course.target, dump)
        course.restore(RESTORE_FLOOR, dump)
    dump.unlink(missing_ok=True)


def others(course: Course) -> None:
    """Project into a Django application's tables; COPY into the same tables of the rows that are then there."""
    if course.make.name != "PostgreSQL":
        return
    folder = course.folder / "others"
    shutil.copytree(ROOT / "examples" / "django_analytics", folder, dirs_exist_ok=True)
    address = ("--journal", course.journal, "--target")
    for repeat in range(course.repeats):
        url = _application(course)
        course.command(OTHERS, "project", *address, url, folder=folder)
        if repeat == 0:
            own("analytics", ("out", url, str(folder)), folder)
        url = _application(course)
        course.own(COPY_FLOOR, "analytics", "copy", url, str(folder))
        course.make.drop(url)
    shutil.rmtree(folder)


def _application(course: Course) -> str:
    """Make a new database with the application's empty tables."""
    url = course.new("others")
    own("analytics", ("make", url), course.folder)
    return url


def project_again(course: Course) -> None:
    """Project with nothing new."""
    address = ("--journal", course.journal, "--target", course.target)
    for _ in range(course.repeats):
        course.command(PROJECT_AGAIN, "project", *address)


def changes(course: Course) -> None:
    """Record a source in which 50 more titles differ, each in two entities; the same again the long way; project; diff.

    A pull request keeps its first title, by its policy, and its Jira issue takes the new one: the state is neither
    the run nor the state before.
    """
    address = ("--journal", course.journal, "--target", course.target)
    chosen = course.choose(_ALTERED * course.repeats)
    spread = [one for first in range(course.repeats) for one in chosen[first :: course.repeats]]
    for repeat in range(course.repeats):
        file = write_chosen(course.folder / "chosen.json", spread[: (repeat + 1) * len(spread) // course.repeats])
        run = course.record(CHANGED, chosen=file)
        course.record(CHANGED_NO_REUSE, "--no-reuse", chosen=file)
        course.command(PROJECT_CHANGED, "project", *address)
        document = course.command(DIFF, "diff", *address, str(run["previous"]), str(run["run"]))
        told = course.samples.facts(CHANGED, "changed")[-1]
        if not document["changes"] or len(document["changes"]) != told:
            raise SystemExit(f"diff shows {len(document['changes'])} changes, record told {told:.0f}")


def verify(course: Course) -> None:
    """Verify journal and target, for its memory."""
    course.command(VERIFY, "verify", "--journal", course.journal, "--target", course.target)


def start_up(course: Course) -> None:
    """Time commands that should start at once."""
    _ = course.journal
    for _ in range(_BEST_OF):
        course.add(HELP, seedjournal(("--help",), course.folder)[0])
        course.command(LOG, "log", "--journal", course.journal)


def growth(course: Course) -> None:
    """Record and project a tenth of the events."""
    data = course.data.at(0.1)
    if data is None:
        return
    small = course.beside(data, "tenth_", repeats=course.repeats)
    append(small)
    project(small)
    small.drop()
    for step, name in ((COLD, TENTH_COLD), (PROJECT, TENTH_PROJECT)):
        for sample in small.samples.by_step[step]:
            course.add(name, sample)


def threefold(course: Course) -> None:
    """Run every step once with three times the events, for its memory."""
    data = course.data.at(3)
    if data is None:
        return
    large = course.beside(data, "threefold_", repeats=1)
    for stage in (append, again, no_reuse, project, project_again, changes, verify):
        stage(large)
    large.drop()
    peak, step = large.samples.highest_peak()
    course.add(THREEFOLD, Sample(seconds=0, cpu=0, peak=peak, whole=False, facts={step: peak}))


def main_job(course: Course) -> None:
    """Record and project into one new database, and both again: what the seed system does in one run."""
    for _ in range(course.repeats):
        url = course.new("main_job")
        for record, project in (FIRST, SECOND):
            course.command(record, "record", *course.data.options, "--policy", "github=upsert", "--journal", url)
            course.command(project, "project", "--journal", url)
        course.make.drop(url)


STAGES = (
    append,
    disk,
    again,
    no_reuse,
    project,
    others,
    project_again,
    changes,
    verify,
    start_up,
    growth,
    threefold,
    main_job,
)
