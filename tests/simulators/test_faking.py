"""Texts are functions of their keys, and the same on every supported version of Faker."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

from faker import Faker

from seedjournal.simulators.faking import Texts, faker_version


def test_the_texts_are_these_on_every_supported_faker() -> None:
    texts = Texts(1, "golden", 1)
    assert [texts.name(key) for key in range(3)] == ["Kaitlyn Casey", "Kurt Carr", "Ralph Archer"]
    assert [texts.task(key) for key in range(3)] == [
        "evolve out-of-the-box e-commerce",
        "integrate synergistic initiatives",
        "incubate frictionless platforms",
    ]
    assert [texts.sentence(key) for key in range(3)] == [
        "Turn once week itself wind partner too scene onto.",
        "Subject room best owner popular.",
        "Identify attorney I six cold too coach outside civil baby.",
    ]
    many = Texts(0, "probe", 1)
    told = [f"{text}\n" for key in range(64) for text in (many.name(key), many.task(key), many.sentence(key))]
    assert sha256("".join(told).encode()).hexdigest()[:16] == "ce17af77b7af51e0"


def test_a_text_depends_on_its_key_alone() -> None:
    texts = Texts(1, "golden", 1)
    forth = [texts.sentence("pull", key) for key in range(20)]
    back = [texts.sentence("pull", key) for key in reversed(range(20))]
    assert forth == back[::-1]


def test_seed_simulator_version_field_and_key_all_matter() -> None:
    texts = [Texts(1, "a", 1), Texts(2, "a", 1), Texts(1, "b", 1), Texts(1, "a", 2)]
    assert len({tuple(text.sentence(key) for key in range(5)) for text in texts}) == len(texts)
    assert texts[0].sentence(1) != texts[0].sentence("1")
    assert texts[0].name(1) != texts[0].task(1)


def test_nobody_elses_random_numbers_are_touched_or_used() -> None:
    texts = Texts(1, "golden", 1)
    random.seed(7)
    Faker.seed(7)
    expected, first = random.Random(7).random(), texts.name(1)
    assert random.random() == expected
    theirs = Faker("en_US").name()
    Faker.seed(7)
    assert texts.name(1) == first
    assert Faker("en_US").name() == theirs


def test_threads_do_not_mix_texts() -> None:
    texts = Texts(1, "golden", 1)
    keys = list(range(300)) * 4
    expected = [texts.name(key) for key in keys]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(texts.name, keys)) == expected


def test_faker_is_loaded_by_the_first_text_and_not_before() -> None:
    program = (
        "import sys, seedjournal.simulators.faking as faking, seedjournal.simulators.engineering.demo.source as demo;"
        "source = demo.DemoSource(project='p', seed=1);"
        "assert 'faker' not in sys.modules;"
        "faking.Texts(1, 'golden', 1).name(0);"
        "assert 'faker' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_version_is_fakers() -> None:
    assert faker_version().startswith("40.")
