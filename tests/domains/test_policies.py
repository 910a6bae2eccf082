"""Which policies a domain's kinds may have together."""

from __future__ import annotations

import pytest

from seedjournal import Domain, Kind
from seedjournal.journal import Misuse, Policy


class User(Kind, key="email"):
    email: str


class Tenant(Kind, key="slug", policy="upsert"):
    slug: str


class Member(Kind, key=("tenant", "user"), policy="upsert"):
    tenant: Tenant
    user: User


def domain() -> Domain:
    made = Domain("tenants", root=Tenant, kinds=(User, Tenant, Member))
    made.facts(User, [User(email="a")])
    made.facts(Tenant, [Tenant(slug="a")])
    made.facts(Member, [])
    return made


def test_what_all_projects_share_may_be_referred_to_under_any_policy() -> None:
    assert domain().policies({}) == dict.fromkeys(("user", "tenant", "member"), Policy.UPSERT)


def test_what_would_have_to_be_exact_too_is_named_with_both_ways_out() -> None:
    with pytest.raises(Misuse, match="tenant cannot be exact while member") as error:
        domain().policies({"tenant": Policy.EXACT})
    assert "--policy member=exact" in error.value.hint
    assert "another policy than exact" in error.value.hint
