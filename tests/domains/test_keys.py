"""Keys that references bring, seen from the classes of a domain alone."""

from __future__ import annotations

from typing import Annotated

import pytest

from seedjournal import Domain, KeyAs, Kind, at
from seedjournal.simulators.fields import BadEntity
from seedjournal.simulators.kinds import DeclarationError, key_of


class Tenant(Kind, key="slug"):
    slug: str


class User(Kind, key="email"):
    email: str


class Member(Kind, key=("tenant", "user")):
    tenant: Tenant
    user: User


class Follow(Kind, key=("member", "followed")):
    member: Member
    followed: Annotated[Member, KeyAs("followed")]


class Room(Kind, key=("building", "number")):
    building: str
    number: int


class Slot(Kind, key="kind"):
    kind: str


class Lesson(Kind, key=("room", "slot")):
    room: Room
    slot: Slot


class Swap(Kind, key=("lesson", "other")):
    lesson: Lesson
    other: Annotated[Lesson, KeyAs("other")]


class Twins(Kind, key=("lesson", "other")):
    lesson: Lesson
    other: Lesson


def test_a_kind_of_references_alone_may_stand_twice_in_a_key() -> None:
    Domain("many", root=Tenant, kinds=(Tenant, User, Member, Follow))
    acme = Tenant(slug="acme")
    one, other = (Member(tenant=acme, user=User(email=name)) for name in "ab")
    assert Follow.__declared__.key_names == ("tenant", "user", "followed")
    assert key_of(Follow(member=one, followed=other)) == ("acme", "a", "b")
    with pytest.raises(BadEntity, match="belong to different parents"):
        Follow(member=one, followed=Member(tenant=Tenant(slug="b"), user=User(email="b")))


def test_without_a_root_all_parts_of_the_second_are_named() -> None:
    Domain("school", kinds=(Room, Slot, Lesson, Swap))
    a, b = (Lesson(room=Room(building="A", number=n), slot=Slot(kind="mon")) for n in (1, 2))
    swap = Swap(lesson=a, other=b)
    assert Swap.__declared__.key_names == (
        *("building", "number", "slot"),
        *("other_building", "other_number", "other_slot"),
    )
    assert key_of(swap) == ("A", 1, "mon", "A", 2, "mon")
    declared = Swap.__declared__
    assert declared.encode is not None
    assert declared.decode is not None
    again = declared.decode(*declared.encode(swap))
    assert (again.lesson, again.other) == (a, b)


def test_two_references_to_one_kind_that_bring_nothing_of_their_own_are_refused() -> None:
    with pytest.raises(DeclarationError, match=r"lesson and other .* KeyAs\('other'\)"):
        Domain("school", kinds=(Room, Slot, Lesson, Twins))


def test_a_part_of_a_key_may_be_named_kind() -> None:
    Domain("school", kinds=(Room, Slot, Lesson, Swap))
    assert at(Slot, kind="mon") == Slot(kind="mon")


def test_a_field_with_the_name_of_a_part_of_the_key_is_refused() -> None:
    class Bed(Kind, key=("room", "place")):
        room: Room
        place: int
        number: int  # the room's number has this name in the key

    with pytest.raises(DeclarationError, match="Bed has a field 'number', and room brings a part of this name"):
        Domain("beds", kinds=(Room, Bed))


def test_a_reference_to_an_ancestor_beside_the_key_is_no_clash() -> None:
    class Seat(Kind, key=("member", "row")):
        member: Member
        row: int
        tenant: Tenant

    Domain("seats", root=Tenant, kinds=(Tenant, User, Member, Seat))
