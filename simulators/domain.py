"""A domain: kinds, facts and simulators, declared by a user in a module of their own.

`Domain` checks what it is given at once. In what order simulators run follows from what their annotations say that
they take and yield.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from seedjournal.journal import Misuse, SeedJournalError, Vocabulary

from .declaring import is_in_project, resolve
from .drawing import All, Draw
from .facts import Facts, Run, as_facts, not_stated
from .failing import brief, own_lines, reason_of
from .fields import LARGEST
from .kinds import DeclarationError, Declared, Document, Kind, document_problems, nearest

Entity = TypeVar("Entity")
Function = TypeVar("Function", bound=Callable[..., Any])
_PROGRAM = __name__.partition(".")[0]
Setting = int | float | str | bool | date


class Its(tuple[Entity, ...]):
    """The entities that refer directly to the one that a simulator is called for: `orders: Its[Order] = by()`."""

    __slots__ = ()


class Summary(Generic[Entity]):
    """The base class of summaries: `see` is called for each entity of the kinds in its annotation, in any order.

    A simulator that names the class in an annotation gets the summary after all entities were seen.
    """

    def see(self, entity: Entity) -> None:
        """Take one entity or document. Its annotation says of which kinds."""
        raise NotImplementedError

    def close(self) -> None:
        """Compute results after the last call of `see`. seedjournal calls it before any simulator takes the summary."""


@dataclass(frozen=True, slots=True)
class By:
    """How the entities of `Its` are ordered, and which of several references they are found by."""

    field: str | None
    of: str | None


def by(field: str | None = None, *, of: str | None = None) -> Any:
    """Order `Its` by a field (by default by key); `of` chooses among several references to the same kind."""
    return By(field, of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A parameter of a simulator: what it takes."""

    name: str
    what: str  # each, draw, settings, run, its, all, summary
    kind: type[Any] | None = None
    order: By = By(None, None)
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """A function that makes entities: what it takes, what it yields, and under which name its draws are."""

    function: Callable[..., Any]
    name: str
    version: int
    each: type[Kind | Document] | None
    takes: tuple[Taken, ...]
    yields: tuple[type[Kind], ...]

    @property
    def needs(self) -> set[type[Any]]:
        """The kinds and documents that must be complete before this simulator runs."""
        found: set[type[Any]] = {self.each} if self.each else set()
        for one in self.takes:
            if one.what in {"its", "all"} and one.kind:
                found.add(one.kind)
            elif one.what == "summary" and one.kind:
                found |= set(seen_by(one.kind))
        return found


@dataclass(frozen=True, slots=True)
class Stated:
    """Facts that a domain was given for a kind or a class of documents, in all profiles or in one."""

    kind: type[Kind | Document]
    source: Facts
    profile: str | None

    @property
    def name(self) -> str:
        """The name by which runs record these facts."""
        named = self.kind.__name__ if issubclass(self.kind, Document) else self.kind.__declared__.name
        return f"{named}:{self.source.name}"


def seen_by(summary: type[Any]) -> tuple[type[Any], ...]:
    """Return the kinds and documents that a summary sees."""
    for base in getattr(summary, "__orig_bases__", ()):
        if get_origin(base) is Summary:
            (seen,) = get_args(base)
            return tuple(get_args(seen)) if get_origin(seen) in {Union, types.UnionType} else (seen,)
    return ()


class Domain:
    """Kinds, facts and simulators under one name: what `record` records.

    With a `root`, a project is one root entity, and its name is the root's key; kinds whose keys do not begin with the
    root form a project of their own, named as the domain. Without a root the domain has this one project only.
    `settings` are names with default values, or a msgspec.Struct whose ranges are checked. `today` is the run's date
    unless `--as-of` gives another; without it, the newest day of the facts is. `policy_groups` are names under which a
    user can choose a policy for several kinds at once; the group `all` has every kind of fact.
    """

    def __init__(
        self,
        name: str,
        *,
        kinds: Sequence[type[Kind]],
        root: type[Kind] | None = None,
        settings: Mapping[str, Setting] | type[msgspec.Struct] | None = None,
        today: date | None = None,
        policy_groups: Mapping[str, Sequence[type[Kind]]] | None = None,
    ) -> None:
        if isinstance(kinds, Iterable) and not isinstance(kinds, (type, Mapping)):
            kinds = tuple(kinds)
        if problems := list(_wrong_domain(name, kinds, root, settings, today, policy_groups)):
            raise DeclarationError(f"domain {name!r}", problems)
        self.name = name
        self.root = root
        self.kinds = tuple(kinds)
        self.given_today = today
        self.settings = settings if settings is not None else {}
        self.policy_groups = policy_groups or {}
        self.vocabulary: Vocabulary = resolve(self.kinds, root, f"domain {name!r}", name)
        self.by_name: dict[str, Declared] = {one.__declared__.name: one.__declared__ for one in self.kinds}
        self.stated: list[Stated] = []
        self.simulators: list[Simulator] = []
        self.module: str | None = None
        self.tried: set[str] = set()  # the simulators whose calls another process has repeated

    @property
    def today(self) -> date:
        """The date that the domain was given; raises Misuse where it was given none."""
        if self.given_today is None:
            raise Misuse(
                f"The domain {self.name!r} was given no today.", "Give it one, or take `run: Run` and ask run.today."
            )
        return self.given_today

    # -- declaring ---------------------------------------------------------------------------------------------------

    def facts(self, kind: type[Kind | Document], source: Any, *, profile: str | None = None) -> None:
        """Add facts of a kind: csv(…), json_lines(…), sql(…), a list, or a function that yields entities or documents.

        With a `profile`, only `record --profile` with this name reads them. Raises DeclarationError for a class that is
        neither a kind of the domain nor a Document with a key.
        """
        if not isinstance(kind, type) or not issubclass(kind, Document):
            self._refuse_stranger(kind)
        elif problems := document_problems(kind):
            raise DeclarationError(f"domain {self.name!r}", problems)
        stated = as_facts(source)
        if problems := list(not_stated(stated, kind)):
            raise DeclarationError(f"facts of {kind.__name__} in domain {self.name!r}", problems)
        self.stated.append(Stated(kind, stated, profile))

    def simulate(
        self, *, each: type[Kind | Document] | None = None, name: str | None = None, version: int = 1
    ) -> Callable[[Function], Function]:
        """Declare a simulator: a function that yields entities, called for each entity of a kind, or once a project.

        The draws depend on the function's name. To rename the function and keep its draws, give the old name as `name`.
        A greater `version` changes all of them.
        """

        def declare(function: Function) -> Function:
            simulator = _read_signature(self, function, each, name or function.__name__, version)
            if any(one.name == simulator.name for one in self.simulators):
                raise DeclarationError(f"domain {self.name!r}", [f"two simulators are named {simulator.name!r}"])
            self.simulators.append(simulator)
            self.in_order()
            return function

        return declare

    def _refuse_stranger(self, kind: Any) -> None:
        if kind not in self.kinds:
            name = getattr(kind, "__name__", repr(kind))
            names = [one.__name__ for one in self.kinds]
            raise DeclarationError(f"domain {self.name!r}", [f"{name} is not among its kinds{nearest(name, names)}"])

    # -- what follows from the declaration ---------------------------------------------------------------------------

    def in_order(self) -> list[Simulator]:
        """Return the simulators, each after those that make what it takes; raise DeclarationError for a circle."""
        done: list[Simulator] = []
        path: list[Simulator] = []

        def visit(one: Simulator) -> None:
            if one in done:
                return
            if one in path:
                circle = [two.name for two in path[path.index(one) :]] + [one.name]
                raise DeclarationError(f"domain {self.name!r}", [f"the simulators {' → '.join(circle)} form a circle"])
            path.append(one)
            for other in self.simulators:
                if set(other.yields) & one.needs:
                    visit(other)
            path.pop()
            done.append(one)

        for one in self.simulators:
            visit(one)
        return done

    @property
    def fact_kinds(self) -> tuple[str, ...]:
        """The kinds that have a policy, parents first; all others are computed from them.

        They come from facts, or from a simulator that takes documents. A kind with a policy that no simulator yields is
        one, too.
        """
        found: set[type[Kind]] = {one.kind for one in self.stated if issubclass(one.kind, Kind)}
        found |= {self.root} if self.root else set()
        computed: set[type[Kind]] = set()
        for simulator in self.simulators:
            if any(issubclass(one, Document) for one in simulator.needs):
                found |= set(simulator.yields)
            else:
                computed |= set(simulator.yields)
        found |= {one for one in self.kinds if one.__declared__.policy and one not in computed}
        names = {one.__declared__.name for one in found}
        return tuple(one.name for one in self.vocabulary.kinds if one.name in names)

    @property
    def common(self) -> str | None:
        """The name of the project that holds the shared kinds, if any; without a root all kinds are shared."""
        return self.vocabulary.common

    def is_shared(self, kind: type[Kind]) -> bool:
        """Return whether a kind's entities belong to no root entity."""
        return not is_in_project(kind.__declared__, self.root)

    def documents_of(self, kinds: Collection[type[Kind]]) -> set[type[Document]]:
        """Return the classes of documents that the simulators of these kinds take."""
        makers = [one for one in self.simulators if any(kind in kinds for kind in one.yields)]
        return {need for one in makers for need in one.needs if issubclass(need, Document)}

    def project_kinds(self, *, shared: bool) -> list[type[Kind]]:
        """Return the kinds of a root entity's project, or those that all projects share."""
        return [one for one in self.kinds if self.is_shared(one) == shared]

    def settings_of(self, given: Mapping[str, Any], origin: str) -> Any:
        """Return a run's settings: what is given over the defaults; raise Misuse with everything that is wrong."""
        if isinstance(self.settings, type):
            names = self.settings.__struct_fields__
            problems = [f"there is no setting {name!r}{nearest(name, names)}" for name in given if name not in names]
            if problems:
                raise Misuse(f"{origin}: {'; '.join(problems)}.", f"The settings are {', '.join(names) or 'none'}.")
            try:
                return msgspec.convert(dict(given), self.settings, strict=False)
            except msgspec.ValidationError as error:
                raise Misuse(f"{origin}: {error}.", "Correct the setting.") from None
        problems = []
        values = dict(self.settings)
        for name, value in given.items():
            if name not in values:
                problems.append(f"there is no setting {name!r}{nearest(name, values)}")
                continue
            try:
                values[name] = _as_setting(value, values[name])
            except ValueError as error:
                problems.append(f"{name} = {value!r}: {error}")
        if problems:
            raise Misuse(f"{origin}: {'; '.join(problems)}.", f"The settings are {', '.join(values) or 'none'}.")
        return values

    def code_digest(self) -> str:
        """Return a digest of the declaration's code: its module, and the modules beside it that it imported.

        Comments and layout do not count.
        """
        if self.module is None:
            return ""
        home = Path(sys.modules[self.module].__file__ or "").resolve().parent
        digest = hashlib.sha256()
        found: dict[str, Path] = {}
        for name, module in sorted(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and file.endswith(".py") and _resolved(file).is_relative_to(home):
                found[name] = _resolved(file)
        for name, path in found.items():
            if "site-packages" in path.parts or name.partition(".")[0] == _PROGRAM:
                continue
            digest.update(f"{name}\n{ast.dump(ast.parse(path.read_bytes()))}\n".encode())
        return digest.hexdigest()


def _wrong_domain(name: Any, kinds: Any, root: Any, settings: Any, today: Any, policy_groups: Any) -> Iterator[str]:
    """Yield what is wrong with a domain's arguments; whoever runs no type checker learns it here."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        yield "its name must be a text of printable characters"
    if isinstance(kinds, type) or not isinstance(kinds, Iterable):
        yield f"kinds={brief(kinds)} is no list of kinds; write kinds=(Book, Loan)"
    elif not kinds:
        yield "it has no kinds; write kinds=(Book, Loan)"
    for one in kinds if isinstance(kinds, Iterable) else ():
        if not isinstance(one, type) or not issubclass(one, Kind) or one is Kind:
            yield f"kinds names {brief(one)}, which is no subclass of Kind"
    if root is not None and not (isinstance(root, type) and issubclass(root, Kind)):
        yield f"root={brief(root)} is no subclass of Kind"
    if today is not None and type(today) is not date:
        yield f"today={brief(today)} is no date; write date(2026, 1, 5)"
    yield from _wrong_settings(settings)
    if policy_groups is not None:
        yield from _wrong_groups(policy_groups, kinds if isinstance(kinds, Iterable) else ())


def _wrong_settings(settings: Any) -> Iterator[str]:
    if isinstance(settings, Mapping):
        for one, value in settings.items():
            if not isinstance(one, str):
                yield f"the setting {one!r} is named by something else than a text"
            if not isinstance(value, Setting) or (isinstance(value, float) and not isfinite(value)):
                yield f"the setting {one!r} is {brief(value)}; a setting is a number, a text, true or false, or a date"
    elif settings is not None and not (isinstance(settings, type) and issubclass(settings, msgspec.Struct)):
        yield f"settings={brief(settings)} is neither a dict nor a subclass of msgspec.Struct"


def _wrong_groups(groups: Any, kinds: Iterable[Any]) -> Iterator[str]:
    if not isinstance(groups, Mapping):
        yield f'policy_groups={brief(groups)} is no dict; write policy_groups={{"stock": (Book, Shelf)}}'
        return
    known = {one for one in kinds if isinstance(one, type) and issubclass(one, Kind)}
    names = {one.__declared__.name for one in known if one is not Kind}
    for name, among in groups.items():
        if not isinstance(name, str) or not name.isidentifier() or name == "all" or name in names:
            yield f"a policy group cannot be named {name!r}; choose a word that is neither all nor a kind's name"
        is_list = isinstance(among, Iterable) and not isinstance(among, (str, type))
        if not is_list:
            yield f"the policy group {name!r} is {brief(among)}, which is no list of kinds"
        for one in among if is_list else ():
            if not isinstance(one, type) or one not in known:
                shown = one.__name__ if isinstance(one, type) else brief(one)
                yield f"the policy group {name!r} has {shown}, which is not among the kinds"


@lru_cache(1 << 13)
def _resolved(file: str) -> Path:
    """Return where a module's file lies; a process has a thousand of them."""
    return Path(file).resolve()


def _as_setting(value: Any, default: Setting) -> Setting:  # noqa: C901, PLR0912 - one branch for each type
    """Return a setting's value in its default's type; raise ValueError."""
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        if str(value).lower() in {"true", "false"}:
            return str(value).lower() == "true"
        raise ValueError("write true or false")
    if isinstance(default, int):
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError("it must be an integer")
        try:
            found = int(value)
        except (TypeError, ValueError):
            raise ValueError("it must be an integer") from None
        if abs(found) > LARGEST:
            raise ValueError("it must be an integer within ±(2^53 - 1)")
        return found
    if isinstance(default, float):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError("it must be a number") from None
        if not isfinite(number):
            raise ValueError("it must be a finite number")
        return number
    if isinstance(default, date):
        try:
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        except ValueError:
            raise ValueError("it must be a date such as 2026-01-05") from None
    if not isinstance(value, str):
        raise ValueError("it must be a text")  # noqa: TRY004 - told with the other settings
    return value


def _read_signature(
    domain: Domain, function: Callable[..., Any], each: type[Any] | None, name: str, version: int
) -> Simulator:
    """Return the simulator that a function's annotations describe; raise DeclarationError with all that is wrong."""
    where = f"simulator {name!r}"
    names = {one.__name__: one for one in domain.kinds}
    space = {each.__name__: each, **names} if isinstance(each, type) else names
    try:
        hints = get_type_hints(function, {**function.__globals__, **space}, None)
    except NameError as error:
        unknown = str(error.name)
        raise DeclarationError(
            where, [f"its annotations name {unknown!r}, which is not known{nearest(unknown, space)}"]
        ) from None
    problems: list[str] = []
    if type(version) is not int:
        problems.append(f"version={version!r} is no integer")
    if each is not None and not (isinstance(each, type) and issubclass(each, Document)) and each not in domain.kinds:
        shown = getattr(each, "__name__", repr(each))
        problems.append(f"each={shown}, which is not among the kinds{nearest(shown, names)}")
        raise DeclarationError(where, problems)
    takes = tuple(
        one
        for parameter in inspect.signature(function).parameters.values()
        if (one := _taken(domain, parameter, hints.get(parameter.name), each, problems))
    )
    yields = _yielded(hints.get("return"), domain, problems)
    if problems:
        raise DeclarationError(where, problems)
    return Simulator(function=function, name=name, version=version, each=each, takes=takes, yields=yields)


def _taken(  # noqa: C901, PLR0911, PLR0912 - one branch for each thing that a simulator may take
    domain: Domain, parameter: inspect.Parameter, hint: Any, each: type[Any] | None, problems: list[str]
) -> Taken | None:
    name = parameter.name
    origin = get_origin(hint)
    if hint is None:
        problems.append(f"the parameter {name!r} has no annotation")
    elif parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
        problems.append(f"the parameter {name!r} cannot be given by its name; write it without * and /")
    elif hint is Draw:
        return Taken(name=name, what="draw")
    elif hint is Run:
        return Taken(name=name, what="run")
    elif name == "settings":
        return Taken(name=name, what="settings")
    elif origin is Its:
        return _its(domain, parameter, get_args(hint)[0], each, problems)
    elif origin is All:
        (kind,) = get_args(hint)
        if _can_be_read(kind, domain):
            return Taken(name=name, what="all", kind=kind)
        problems.append(f"{name} takes all {_shown(kind)}, which is not among the kinds")
    elif isinstance(hint, type) and issubclass(hint, Summary):
        strange = [_shown(one) for one in seen_by(hint) if not _can_be_read(one, domain)]
        if seen_by(hint) and not strange:
            return Taken(name=name, what="summary", kind=hint)
        problems.append(
            f"the summary {hint.__name__} sees {', '.join(strange)}, which is not among the kinds"
            if strange
            else f"the summary {hint.__name__} does not say what it sees; write class {hint.__name__}(Summary[…])"
        )
    elif hint is each:
        return Taken(name=name, what="each")
    elif isinstance(hint, type) and issubclass(hint, (Kind, Document)):
        wanted = f"each={hint.__name__}" if each is None else f"each={each.__name__}"
        problems.append(f"{name} takes a {hint.__name__}, but the decorator says {wanted if each else 'no each'}")
    else:
        problems.append(f"{name}: a simulator cannot take {hint}")
    return None


def _can_be_read(kind: Any, domain: Domain) -> bool:
    return kind in domain.kinds or (isinstance(kind, type) and issubclass(kind, Document))


def _shown(kind: Any) -> str:
    return getattr(kind, "__name__", None) or str(kind)


def _its(
    domain: Domain, parameter: inspect.Parameter, kind: type[Any], each: type[Any] | None, problems: list[str]
) -> Taken | None:
    name = parameter.name
    order = parameter.default if isinstance(parameter.default, By) else By(None, None)
    if kind not in domain.kinds or each not in domain.kinds:
        problems.append(f"{name} takes Its[{_shown(kind)}], which needs an `each` kind and a kind of the domain")
        return None
    declared: Declared = kind.__declared__
    references = [column.name for column in declared.columns.values() if each in column.to]
    if order.field is not None and order.field not in declared.columns:
        problems.append(
            f"{name}: by({order.field!r}) is not a field of {kind.__name__}{nearest(order.field, declared.fields)}"
        )
        return None
    if order.of is not None:
        references = [one for one in references if one == order.of]
    if len(references) != 1:
        problems.append(
            f"{name}: {kind.__name__} has {len(references) or 'no'} references to {each.__name__}"
            + (f"; choose one by(…, of={references[0]!r})" if references else "")
        )
        return None
    return Taken(name=name, what="its", kind=kind, order=order, reference=references[0])


def _yielded(hint: Any, domain: Domain, problems: list[str]) -> tuple[type[Kind], ...]:
    arguments = get_args(hint)
    if not arguments:
        problems.append("its return annotation does not say what it yields; write -> Iterator[…]")
        return ()
    made = arguments[0]
    kinds = tuple(get_args(made)) if get_origin(made) in {Union, types.UnionType} else (made,)
    for kind in kinds:
        if kind not in domain.kinds:
            shown = getattr(kind, "__name__", kind)
            problems.append(f"it yields {shown}, which is not among the kinds")
    return kinds


def load_domain(address: str, folder: Path) -> Domain:
    """Import the domain at `module:name`, found from `folder`; raise Misuse where there is none."""
    domain: Domain = load_named(address, folder, "domain", Domain)
    domain.module = address.partition(":")[0]
    return domain


def load_named(address: str, folder: Path, what: str, kind: type[Any]) -> Any:
    """Import the object of this type that `module:name` names, found from `folder`; raise Misuse if there is none."""
    module, colon, name = address.partition(":")
    if not colon or not module or not name:
        raise Misuse(f"{address!r} does not name a {what}.", f'Write {what} = "module:name", such as "seeds:library".')
    place = str(folder.resolve())
    sys.path[:] = [place, *(one for one in sys.path if one != place)]  # before other folders with such a module
    known = sys.modules.get(module)
    if known is not None and not (known.__file__ or "").startswith(place):
        del sys.modules[module]  # another folder's module of this name
        importlib.invalidate_caches()
    try:
        loaded = importlib.import_module(module)
    except SeedJournalError:
        raise  # a declaration that says itself what is wrong
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name in {module.partition(".")[0], module}:
            raise Misuse(
                f"There is no module {module!r} in {folder}.", f"Check `{what}` in seedjournal.toml."
            ) from None
        raise Misuse(
            f"The module {module!r} cannot be imported: {reason_of(error)}{own_lines(error.__traceback__)}",
            "Correct it; --debug shows the whole traceback.",
        ) from error
    found = getattr(loaded, name, None)
    if not isinstance(found, kind):
        names = [one for one, value in vars(loaded).items() if isinstance(value, kind)]
        raise Misuse(f"{module} has no {what} {name!r}{nearest(name, names)}.", f"Check `{what}` in seedjournal.toml.")
    return found
