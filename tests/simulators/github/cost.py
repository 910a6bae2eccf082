"""What a query costs, by the formula that GitHub publishes.

Points: the requests needed to fulfil each connection, taking every `first` and `last` as reached, added up, divided by
100 and rounded to the nearest whole number, at least 1. Nodes: the same products, with each connection's own nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import DocumentNode, FieldNode, FragmentDefinitionNode, InlineFragmentNode, OperationDefinitionNode
from graphql.language import FragmentSpreadNode, IntValueNode, SelectionSetNode, VariableNode


def cost(document: DocumentNode, variables: Mapping[str, Any]) -> int:
    """Points."""
    requests, _ = _walked(document, variables)
    return max(1, int(requests / 100 + 0.5))


def nodes(document: DocumentNode, variables: Mapping[str, Any]) -> int:
    """The nodes that a query may return; GitHub refuses more than 500,000."""
    return _walked(document, variables)[1]


def _walked(document: DocumentNode, variables: Mapping[str, Any]) -> tuple[int, int]:
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    (operation,) = (one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return _of(operation.selection_set, fragments, variables, 1)


def _of(
    selections: SelectionSetNode | None,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
    times: int,
) -> tuple[int, int]:
    requests = found = 0
    for one in selections.selections if selections else ():
        if isinstance(one, FragmentSpreadNode):
            inner: SelectionSetNode | None = fragments[one.name.value].selection_set
            own = (0, 0)
            below = times
        elif isinstance(one, InlineFragmentNode):
            inner, own, below = one.selection_set, (0, 0), times
        else:
            assert isinstance(one, FieldNode)
            if not _is_included(one, variables):
                continue
            limit = _limit(one, variables)
            inner = one.selection_set
            own = (times, times * limit) if limit else (0, 0)
            below = times * (limit or 1)
        more, deeper = _of(inner, fragments, variables, below)
        requests += own[0] + more
        found += own[1] + deeper
    return requests, found


def _is_included(field: FieldNode, variables: Mapping[str, Any]) -> bool:
    for directive in field.directives or ():
        if directive.name.value == "include":
            value = directive.arguments[0].value
            return bool(variables[value.name.value]) if isinstance(value, VariableNode) else True
    return True


def _limit(field: FieldNode, variables: Mapping[str, Any]) -> int | None:
    for argument in field.arguments or ():
        if argument.name.value in {"first", "last"}:
            if isinstance(argument.value, VariableNode):
                given = variables.get(argument.value.name.value)
                if given is not None:
                    return int(given)
            elif isinstance(argument.value, IntValueNode):
                return int(argument.value.value)
    return None
