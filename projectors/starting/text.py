"""The text of a starting domain: a Python module and a settings file, as a person would begin them."""

from __future__ import annotations

import json
import re
import tokenize
from collections.abc import Iterable, Iterator
from datetime import date
from io import StringIO

from .planned import FieldPlan, KindPlan, Start

_NEXT = (
    "Change what should look different. Then\n`seedjournal record --project {}` and `seedjournal project` fill them."
)
_WIDTH = 110  # a longer line is split
_LONGEST = 120
_FROM: dict[str, tuple[str, ...]] = {
    "collections.abc": ("Iterator",),
    "datetime": ("UTC", "date", "datetime", "time", "timedelta"),
    "decimal": ("Decimal",),
    "typing": ("Annotated", "Literal"),
    "uuid": ("UUID",),
}
_OURS = """All Domain Draw Fixed Json Kind Places Run Size Tables at field initial lookup ref sql touch""".split()


def write_module(start: Start, *, source: str, today: date) -> str:
    """Return the module: kinds, the domain, a simulator for each kind, and the map onto the tables."""
    parts = [*map(_kind, start.kinds), _domain(start, today)]
    parts += [_simulator(start, one) for one in start.kinds]
    body = "\n\n\n".join(parts) + "\n\n\n" + _tables(start)
    return f"{_head(start, source)}\n\n{_imports(body)}\n\n\n{body}"


def write_settings(start: Start, *, module: str, target: str) -> str:
    """Return the settings file."""
    lines = [f'domain = "{module}:{start.name}"', f'tables = "{module}:target"', f"target = {json.dumps(target)}"]
    if start.schema:
        lines.append(f"schema = {json.dumps(start.schema)}")
    return "\n".join(lines) + "\n"


def _head(start: Start, source: str) -> str:
    lines = [f'"""Invented rows for the tables of {source}, as a start.', "", *_NEXT.format(start.name).split("\n")]
    if any(kind.notes or any(one.note for one in kind.fields.values()) for kind in start.kinds):
        lines += ["", "Comments that begin with TODO say what could not be decided."]
    if start.left_out:
        lines += ["", "Left out:", ""]
        lines += [f"- {table}: {reason}" for table, reason in sorted(start.left_out.items())]
    return "\n".join([*lines, '"""'])


def _imports(body: str) -> str:
    used = {one.string for one in tokenize.generate_tokens(StringIO(body).readline) if one.type == tokenize.NAME}
    lines = [
        f"from {module} import {', '.join(found)}"
        for module, names in _FROM.items()
        if (found := sorted((name for name in names if name in used), key=_import_order))
    ]
    ours = sorted((name for name in _OURS if name in used), key=_import_order)
    return "\n".join(lines) + "\n\n" + _listed("from seedjournal import ", ours)


def _import_order(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def _listed(begin: str, names: Iterable[str]) -> str:
    plain = begin + ", ".join(names)
    return plain if len(plain) <= _WIDTH else f"{begin}(\n" + "".join(f"    {name},\n" for name in names) + ")"


def _kind(kind: KindPlan) -> str:
    key = f'"{kind.key[0]}"' if len(kind.key) == 1 else "({})".format(", ".join(f'"{one}"' for one in kind.key))
    lines = [f"class {kind.cls}(Kind, key={key}):" + (f"  # {kind.key_note}" if kind.key_note else "")]
    if kind.key_note and len(lines[0]) > _WIDTH:
        lines = [f"# {kind.key_note}", f"class {kind.cls}(Kind, key={key}):"]
    for one in kind.fields.values():
        lines += [f"    {line}" for line in _annotated(one)]
    return "\n".join(lines)


def _annotated(one: FieldPlan) -> Iterator[str]:
    if one.note:
        yield f"# TODO: {one.note}"
    line = f"{one.name}: {one.annotation}"
    match = re.fullmatch(r"Literal\[(.*)\]( \| None)?", one.annotation)
    if len(line) <= _WIDTH or match is None:
        yield line
        return
    yield f"{one.name}: Literal["
    yield from (f"    {value}," for value in _parts_of(match[1]))
    yield f"]{match[2] or ''}"


def _parts_of(listed: str) -> list[str]:
    return re.findall(r'"(?:[^"\\]|\\.)*"|-?\d+', listed)


def _domain(start: Start, today: date) -> str:
    kinds = ", ".join(one.cls for one in start.kinds) + ("," if len(start.kinds) == 1 else "")
    lines = [f"{start.name} = Domain(", f'    "{start.name}",']
    if len(kinds) <= _WIDTH - 14:
        lines.append(f"    kinds=({kinds}),")
    else:
        lines += ["    kinds=(", *(f"        {one.cls}," for one in start.kinds), "    ),"]
    lines += [
        "    settings={  # how many rows",
        *(f'        "{one.plural}": {one.count},' for one in start.kinds),
        "    },",
    ]
    return "\n".join([*lines, f"    today=date({today.year}, {today.month}, {today.day}),", ")"])


# -- simulators ----------------------------------------------------------------------------------------------------


def _simulator(start: Start, kind: KindPlan) -> str:
    body = list(_body(kind))
    text = "\n".join(body)
    takes = [f"{name}: All[{cls}]" for name, cls in sorted(kind.takes.items())]
    parameters = ["draw: Draw", "settings: dict[str, int]"]
    if re.search(r"\brun\.", text):
        parameters.append("run: Run")
    signature = f"def {kind.plural}({', '.join([*parameters, *takes])}) -> Iterator[{kind.cls}]:"
    if len(signature) > _WIDTH:
        listed = "".join(f"    {one},\n" for one in (*parameters, *takes))
        signature = f"def {kind.plural}(\n{listed}) -> Iterator[{kind.cls}]:"
    return "\n".join([f"@{start.name}.simulate()", signature, *(f"    {line}" for line in body)])


def _body(kind: KindPlan) -> Iterator[str]:
    fields = list(kind.fields.values())
    each = kind.each[0] if kind.each else None
    values = [one for one in fields if one.name != each]
    text = "\n".join([*(one.value for one in values), *(one.value for one in kind.choices)])
    is_counted = bool(re.search(r"\bplace\b", text))
    if kind.remembers:
        yield f"made: list[{kind.cls}] = []"
    for number, _ in enumerate(kind.combinations):
        yield f"{_taken(kind, number)}: set[tuple[object, ...]] = set()"
    size = f'settings["{kind.plural}"]'
    if kind.each:
        rows, variable = f'draw.sample("{kind.plural}", {kind.each[1]}, {size})', kind.each[0]
    else:
        rows, variable = f'draw.many("{kind.plural}", {size})', "one"
    yield f"for place, {variable} in enumerate({rows}, 1):" if is_counted else f"for {variable} in {rows}:"
    inside = list(_row(kind, values, each))
    yield from (f"    {line}" for line in inside)


def _row(kind: KindPlan, values: list[FieldPlan], each: str | None) -> Iterator[str]:
    fields = list(kind.fields.values())
    uses_draws = any(
        re.search(r"\bone\.", text) for text in (*(one.value for one in values), *(one.value for one in kind.choices))
    )
    if each and uses_draws:
        yield f"one = draw.of({each})"
    early = [one for one in values if one.is_local]
    shared = {name for choice in kind.choices for name in re.findall(r"== (\w+)", choice.value)}
    from_choices = {choice.name for choice in kind.choices}
    first = [one for one in early if one.name in shared and not _uses(one.value, from_choices)]
    yield from (line for one in first for line in _assigned(one.name, one.value, 8))
    done = {one.name for one in first}
    for choice in kind.choices:
        for one in early:
            if one.name not in done and re.search(rf"== {one.name}\b", choice.value):
                done.add(one.name)
                yield from _assigned(one.name, one.value, 8)
        yield f"{choice.name} = {choice.value}"
        if choice.stops:
            yield f"if not {choice.name}:"
            yield "    continue"
    yield from (line for one in early if one.name not in done for line in _assigned(one.name, one.value, 8))
    yield from _left_out(kind)
    given = [(one.name, one.name if one.is_local or one.name == each else one.value) for one in fields]
    made = "made.append" if kind.remembers else "yield "
    opens, closes = (f"{made}({kind.cls}(", "))") if kind.remembers else (f"{made}{kind.cls}(", ")")
    plain = f"{opens}{', '.join(f'{name}={value}' for name, value in given)}{closes}"
    if len(plain) <= _WIDTH - 8:
        yield plain
    elif kind.remembers:
        yield from ("made.append(", f"    {kind.cls}(")
        yield from (f"        {line}" for name, value in given for line in _argument(name, value, 16))
        yield from ("    )", ")")
    else:
        yield opens
        yield from (f"    {line}" for name, value in given for line in _argument(name, value, 12))
        yield closes
    if kind.remembers:
        yield "yield made[-1]"


def _left_out(kind: KindPlan) -> Iterator[str]:
    """Yield the lines that leave a row out which a constraint would refuse."""
    for mine, other in kind.unequal:
        yield f"if {mine} == {other}:"
        yield "    continue"
    for number, names in enumerate(kind.combinations):
        taken, found = _taken(kind, number), f"({', '.join(names)}{',' if len(names) == 1 else ''})"
        yield f"if {found} in {taken}:"
        yield "    continue"
        yield f"{taken}.add({found})"


def _argument(name: str, value: str, indent: int) -> list[str]:
    """Return the lines of an argument, as the formatter would split them."""
    if indent + len(f"{name}={value},") <= _LONGEST:
        return [f"{name}={value},"]
    if match := re.fullmatch(r"(.+) (if .+) (else .+)", value):
        return [f"{name}={match[1]}", match[2], f"{match[3]},"]
    return _split_choice(f"{name}=", value, ",", indent)


def _assigned(name: str, value: str, indent: int) -> list[str]:
    """Return the lines of an assignment, as the formatter would split them."""
    if indent + len(f"{name} = {value}") <= _LONGEST:
        return [f"{name} = {value}"]
    if " else " in value:
        return [f"{name} = (", f"    {value}", ")"]
    return _split_choice(f"{name} = ", value, "", indent)


def _split_choice(begin: str, value: str, end: str, indent: int) -> list[str]:
    match = re.fullmatch(r'(one\.choose\()("\w+"), \((.*?),?\)\)', value)
    if match is None:
        return [f"{begin}{value}{end}"]
    opens, name, listed = match.groups()
    comma = "," if value.endswith(",))") else ""
    if indent + len(f"    {name}, ({listed}{comma})") <= _LONGEST:
        return [f"{begin}{opens}", f"    {name}, ({listed}{comma})", f"){end}"]
    found = re.findall(r'(?:\w+\()?"(?:[^"\\]|\\.)*"\)?|\w+\([^)]*\)|[-\w.]+', listed)
    items = [f"        {one}," for one in found]
    return [f"{begin}{opens}", f"    {name},", "    (", *items, "    ),", f"){end}"]


def _uses(text: str, names: Iterable[str]) -> bool:
    return any(re.search(rf"\b{re.escape(name)}\b", text) for name in names)


def _taken(kind: KindPlan, number: int) -> str:
    return "taken" if len(kind.combinations) == 1 else f"taken_{number + 1}"


# -- the map -------------------------------------------------------------------------------------------------------


def _tables(start: Start) -> str:
    lines = [f"target = Tables({start.name})"]
    for kind in start.kinds:
        lines += [f"# TODO: {one}" for one in kind.notes]
        if kind.theirs:
            lines += [f"# {line}" for line in _wrapped(f"left to the application: {', '.join(kind.theirs)}")]
        lines += _table(kind)
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> Iterator[str]:
    while len(text) > _WIDTH:
        place = text.rfind(", ", 0, _WIDTH) + 1
        yield text[:place]
        text = text[place + 1 :]
    yield text


def _table(kind: KindPlan) -> list[str]:
    words = [f'"{kind.kind}"', json.dumps(kind.info.name, ensure_ascii=False)]
    if kind.schema:
        words.append(f"schema={json.dumps(kind.schema)}")
    words.append(f'ids="{kind.ids}"')
    if kind.by:
        words.append(f'by="{kind.by}"')
    if kind.leave_out:
        words.append(f'leave_out="{" ".join(kind.leave_out)}"')
    if kind.by_trigger:
        words.append(f'filled_by_trigger="{" ".join(kind.by_trigger)}"')
    columns = [f"{json.dumps(name, ensure_ascii=False)}: {said}" for name, said in kind.columns.items()]
    listed = ["columns={{{}}}".format(", ".join(columns))] if columns else []
    plain = f"target.table({', '.join([*words, *listed])})"
    if len(plain) <= _WIDTH:
        return [plain]
    lines = ["target.table(", *(f"    {one}," for one in words)]
    if listed and len(listed[0]) <= _WIDTH - 5:
        lines.append(f"    {listed[0]},")
    elif columns:
        lines += ["    columns={", *(f"        {one}," for one in columns), "    },"]
    return [*lines, ")"]
