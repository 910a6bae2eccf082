"""The text of a starting domain: a Python module and a settings file, as a person would begin them."""

from __future__ import annotations

import json
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from io import StringIO
from typing import Any

from .planned import Additions, FieldPlan, KindPlan, NewColumn, Start, snake

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
_OURS = """All Domain Draw Fixed Json KeyAs Kind Places Run Size Tables at field initial lookup ref sql touch""".split()


def write_module(start: Start, *, source: str, today: date) -> str:
    """Return the module: kinds, the domain, a simulator for each kind, and the map onto the tables."""
    parts = [*map(_kind, start.kinds), _domain(start, today)]
    parts += [_simulator(start, one) for one in start.kinds if one is not start.root]
    body = "\n\n\n".join(parts) + "\n\n\n" + _tables(start)
    return f"{_head(start, source)}\n\n{_imports(body)}\n\n\n{body}"


def write_settings(start: Start, *, module: str, target: str) -> str:
    """Return the settings file."""
    lines = [f'domain = "{module}:{start.name}"', f'tables = "{module}:target"', f"target = {json.dumps(target)}"]
    if start.schema:
        lines.append(f"schema = {json.dumps(start.schema)}")
    return "\n".join(lines) + "\n"


def _head(start: Start, source: str) -> str:
    lines = [f'"""Invented rows for the tables of {source}, as a start.', "", *_NEXT.format(start.project).split("\n")]
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
        "    settings={  # how many rows" + (f", for each {start.root.kind}" if start.root else ""),
        *(f'        "{one.plural}": {one.count},' for one in start.kinds if one is not start.root),
        "    },",
    ]
    lines += [f"    today=date({today.year}, {today.month}, {today.day}),", ")"]
    if start.root:
        lines.insert(2, f"    root={start.root.cls},  # a project is one of them: `record --all` takes every one")
        lines += [f"{start.name}.facts(", f"    {start.root.cls},", "    ["]
        for one in start.facts:
            plain = f"{start.root.cls}({', '.join(f'{name}={value}' for name, value in one.items())}),"
            arguments = [f"            {name}={value}," for name, value in one.items()]
            split = [f"        {start.root.cls}(", *arguments, "        ),"]
            lines += [f"        {plain}"] if len(plain) <= _LONGEST - 8 else split
        lines += ["    ],", ")"]
    return "\n".join(lines)


# -- simulators ----------------------------------------------------------------------------------------------------


def _simulator(start: Start, kind: KindPlan) -> str:
    body = list(_body(kind))
    text = "\n".join(body)
    takes = [f"{name}: All[{cls}]" for name, cls in sorted(kind.takes.items())]
    is_other = kind.root and (kind.each is None or kind.each[0] != snake(kind.root))
    is_taken = is_other and re.search(rf"(?<!\.)\b{snake(kind.root)}\b(?!=)", re.sub(r'"[^"]*"', "", text))
    parameters = [f"{snake(kind.root)}: {kind.root}"] if is_taken else []
    parameters += ["draw: Draw", "settings: dict[str, int]"]
    if re.search(r"\brun\.", text):
        parameters.append("run: Run")
    signature = f"def {kind.plural}({', '.join([*parameters, *takes])}) -> Iterator[{kind.cls}]:"
    if len(signature) > _WIDTH:
        listed = "".join(f"    {one},\n" for one in (*parameters, *takes))
        signature = f"def {kind.plural}(\n{listed}) -> Iterator[{kind.cls}]:"
    each = f"each={kind.root}" if kind.root else ""
    return "\n".join([f"@{start.name}.simulate({each})", signature, *(f"    {line}" for line in body)])


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
    lines = [f"{start.map_name} = Tables({start.name})"]
    for kind in start.kinds:
        lines += _table(start, kind)
    if start.left_alone:
        names = [json.dumps(one, ensure_ascii=False) for one in start.left_alone]
        lines += _call(f"{start.map_name}.leave_alone", names, [])
    return "\n".join(lines) + "\n"


def _call(function: str, words: list[str], columns: list[str]) -> list[str]:
    """Return a call with its arguments, as the formatter would split it."""
    listed = ["columns={{{}}}".format(", ".join(columns))] if columns else []
    plain = f"{function}({', '.join([*words, *listed])})"
    if len(plain) <= _WIDTH:
        return [plain]
    lines = [f"{function}("]
    for one in words:
        lines += [f"    {one},"] if len(one) <= _WIDTH - 5 or not one.endswith("]") else _split_list(one)
    if listed and len(listed[0]) <= _WIDTH - 5:
        lines.append(f"    {listed[0]},")
    elif columns:
        lines += ["    columns={", *(f"        {one}," for one in columns), "    },"]
    return [*lines, ")"]


def _split_list(argument: str) -> list[str]:
    name, _, listed = argument.partition("=[")
    return [f"    {name}=[", *(f"        {one}," for one in _parts_of(listed)), "    ],"]


def _table(start: Start, kind: KindPlan) -> list[str]:
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
    if kind.theirs:
        words.append(list_theirs(kind.theirs))
    columns = [f"{json.dumps(name, ensure_ascii=False)}: {said}" for name, said in kind.columns.items()]
    return [*(f"# TODO: {one}" for one in kind.notes), *_call(f"{start.map_name}.table", words, columns)]


def list_theirs(columns: Iterable[str]) -> str:
    """Return the argument that leaves columns to the application."""
    return "theirs=[{}]".format(", ".join(map(quoted, columns)))


def quoted(name: str) -> str:
    """Return a name as Python spells it."""
    return json.dumps(name, ensure_ascii=False)


# -- what a map lacks ----------------------------------------------------------------------------------------------


def write_additions(additions: Additions, *, taken: Collection[str]) -> dict[str, Any]:
    """Return what a map lacks as Python to paste: new tables, columns and labels, and imports that the module lacks."""
    start = additions.start
    tables: dict[str, dict[str, Any]] = {
        one.shown: {
            "kind": one.kind,
            "class": one.cls,
            "rows": one.count,
            "open": len(one.notes),
            "python": {
                "class": _kind(one),
                "kinds": f"{one.cls},",
                "settings": f'"{one.plural}": {one.count},',
                "simulator": _simulator(start, one),
                "map": "\n".join(_table(start, one)),
            },
        }
        for one in start.kinds
    }
    columns = [_new_column(one) for one in additions.columns]
    labels = [
        {
            "table": one.table,
            "column": one.column,
            "kind": one.kind,
            "class": one.cls,
            "field": one.field,
            "labels": list(one.labels),
            "python": one.declared,
        }
        for one in additions.labels
    ]
    words = [one["python"][part] for one in tables.values() for part in ("class", "simulator", "map")]
    words += [one["python"][part] for one in columns for part in ("field", "value", "map")]
    words += [line for one in columns for line in (*one["parameters"], *one["before"])]
    return {
        "imports": _imports_of("\n".join(words + [one["python"] for one in labels]), taken),
        "tables": tables,
        "columns": columns,
        "labels": labels,
    }


def _imports_of(body: str, taken: Collection[str]) -> list[str]:
    """Return the imports of names that a module lacks; expressions in the body need not be whole statements."""
    used = {*re.findall(r"[A-Za-z_]\w*", re.sub(r'"(?:[^"\\]|\\.)*"', _names_inside, body))} - {*taken}
    return [
        f"from {module} import {', '.join(sorted(found, key=_import_order))}"
        for module, names in (*_FROM.items(), ("seedjournal", tuple(_OURS)))
        if (found := [name for name in names if name in used])
    ]


def _names_inside(match: re.Match[str]) -> str:
    """Return the expressions between the braces of an f-string."""
    return " ".join(["", *re.findall(r"\{([^{}]*)\}", match[0]), ""])


def _new_column(one: NewColumn) -> dict[str, Any]:
    simulator = one.kind.plural if one.value else None
    return {
        "table": one.table,
        "column": one.column.name,
        "type": one.column.type,
        "kind": one.kind.kind,
        "class": one.kind.cls,
        "simulator": simulator,
        "theirs": bool(one.left),
        "parameters": list(one.takes),
        "before": list(one.before),
        "needs": list(one.needs),
        "notes": [note for note in one.kind.notes if re.search(rf"\b{re.escape(one.column.name)}\b", note)],
        "python": {
            "field": one.declared,
            "value": f"{one.value}," if one.value else "",
            "map": one.said,
            "left": one.left,
        },
    }


def declared_field(one: FieldPlan) -> str:
    """Return the line of a class that declares a field, or its lines."""
    return "\n".join(_annotated(one))


def listed_choices(choices: Iterable[Any]) -> str:
    """Return values as a Literal lists them."""
    return ", ".join(json.dumps(one, ensure_ascii=False) for one in choices)
