"""One data set on one database system: its databases as the steps left them, and every sample so far."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .databases import Make
from .datasets import DataSet
from .processes import Sample, own, seedjournal
from .ready import write_events

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of each step, by its name, one for each repeat."""

    by_step: defaultdict[str, list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def seconds(self, step: str) -> list[float]:
        """Return a step's wall time."""
        return [sample.seconds for sample in self.by_step[step]]

    def cpu(self, step: str) -> list[float]:
        """Return a step's CPU time, workers included."""
        return [sample.cpu for sample in self.by_step[step]]

    def peaks(self, step: str) -> list[float]:
        """Return a step's peak memory in MB."""
        return [sample.peak for sample in self.by_step[step]]

    def facts(self, step: str, name: str) -> list[float]:
        """Return another count that a step reported."""
        return [sample.facts[name] for sample in self.by_step[step]]

    def ratios(self, step: str, other: str) -> list[float]:
        """Return a step's wall time over another's, repeat by repeat: the two were measured side by side."""
        pairs = zip(self.by_step[step], self.by_step[other], strict=True)
        return [one.seconds / two.seconds for one, two in pairs]

    def in_cpu(self) -> Samples:
        """Return the same samples with CPU time, the server's included, instead of wall time."""
        told = Samples()
        for step, samples in self.by_step.items():
            told.by_step[step] = [replace(one, seconds=one.cpu + one.server) for one in samples]
        return told

    def highest_peak(self) -> tuple[float, str]:
        """Return the highest peak memory of any whole command, and the step that had it."""
        return max((s.peak, step) for step, samples in self.by_step.items() for s in samples if s.whole)


class Course:
    """What the stages work on."""

    def __init__(
        self, make: Make, data: DataSet, folder: Path, tell: Tell, *, repeats: int, name: str = "", floors: bool = True
    ) -> None:
        self.make = make
        self.data = data
        self.folder = folder
        self.repeats = repeats
        self.floors = floors
        self.samples = Samples()
        self._tell = tell
        self._name = name
        self._journal: str | None = None
        self._target: str | None = None
        self._before = 0.0  # the server's CPU seconds when the step began

    def beside(self, data: DataSet, name: str, *, repeats: int) -> Course:
        """Return a course of another size, in databases of its own and without floors."""
        return Course(self.make, data, self.folder, self._tell, repeats=repeats, name=name, floors=False)

    def new(self, role: str) -> str:
        """Return a new, empty database; the one that had the role before is gone."""
        return self.make.new(f"{self._name}{role}")

    def drop(self) -> None:
        """Remove the databases that are kept from stage to stage."""
        for url in (self._journal, self._target):
            if url is not None:
                self.make.drop(url)
        self._journal = self._target = None

    @property
    def journal(self) -> str:
        """The journal that holds the data set; recorded now where no step did."""
        if self._journal is None:
            self.record_cold("(a journal to work on)")
        return self._journal or ""

    @property
    def target(self) -> str:
        """A target that shows the journal's state; projected now where no step did."""
        if self._target is None:
            self.project_cold("(a target to work on)")
        return self._target or ""

    def record_cold(self, step: str) -> None:
        """Record into a new journal, which is then the course's."""
        self._journal = self.new("journal")
        self.record(step, empty=True)

    def project_cold(self, step: str) -> None:
        """Project into a new target, which is then the course's."""
        journal = self.journal
        self._target = self.new("target")
        self.command(step, "project", "--journal", journal, "--target", self._target)

    def record(self, step: str, *options: str, chosen: Path | None = None, empty: bool = False) -> Any:
        """Record the data set once more, altered where a file of `chosen` pull requests is given; the run's document.

        The sample's facts are the run's events and changes, and the rows that it stored.
        """
        before = None if empty else self.make.stored(self.journal)
        arguments = ("record", *self.data.options, "--policy", "github=upsert", "--journal", self.journal, *options)
        sample, document = self._measured(step, arguments, chosen)
        run = document["runs"][0]
        now = self.make.stored(self.journal)
        new = now.less(before) if before else now
        changed = sum(run["counts"][name] for name in ("added", "changed", "removed"))
        facts = {"events": run["counts"]["total"], "changed": changed, "rows": sum(new)}
        self.add(step, replace(sample, facts={**facts, "stored events": new.events, "stored nodes": new.nodes}))
        return run

    def command(self, step: str, *arguments: str, folder: Path | None = None) -> Any:
        """Run another command of seedjournal's, where a map lies if a folder is given; its document."""
        sample, document = self._measured(step, arguments, None, folder)
        self.add(step, sample)
        return document

    def own(self, step: str, module: str, *arguments: str) -> Any:
        """Run a module of this package as a step; its document."""
        self._begin(step)
        sample, document = own(module, arguments, self.folder)
        self.add(step, self._end(sample))
        return document

    def restore(self, step: str, dump: Path) -> None:
        """Restore a dump into a new database."""
        url = self.new("restored")
        self._begin(step)
        self.add(step, self._end(replace(self.make.restore(dump, url, self.folder), whole=False)))
        self.make.drop(url)

    def events_file(self) -> Path:
        """Return a file with the journal's events, which all databases share."""
        file = self.folder / f"{self.data.name}.events"
        if not file.exists():
            write_events(file, self.make.events(self.journal))
        return file

    def choose(self, count: int) -> list[Any]:
        """Return pull requests to alter, at most so many."""
        _, chosen = own("sources", ("choose", str(count), self.data.source, *self.data.settings), self.folder)
        return list(chosen)

    def add(self, step: str, sample: Sample) -> None:
        """Keep a sample."""
        self.samples.by_step[step].append(sample)

    def _measured(
        self, step: str, arguments: Sequence[str], chosen: Path | None, folder: Path | None = None
    ) -> tuple[Sample, Any]:
        self._begin(step)
        whole = (*arguments, "--json", "--quiet")
        if chosen is None:
            sample, document = seedjournal(whole, folder or self.folder)
        else:
            sample, document = own("sources", ("altered", str(chosen), *whole), self.folder)
        return self._end(sample), document

    def _begin(self, step: str) -> None:
        self._tell(f"{self.make.name}: {self.data.name}: {step}")
        self.make.settle()
        self._before = self.make.cpu()

    def _end(self, sample: Sample) -> Sample:
        return replace(sample, server=self.make.cpu() - self._before)


def write_chosen(file: Path, chosen: Sequence[Any]) -> Path:
    """Keep chosen pull requests for a step."""
    file.write_text(json.dumps(chosen))
    return file
