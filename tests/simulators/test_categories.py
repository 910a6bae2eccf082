"""What sort of file a path is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedjournal.simulators.engineering.categories import file_category

TABLE = {
    "test": "tests/app.py test/run.c shop/tests/data.json Tests/x web/__tests__/Scale.tsx spec/scale_spec.rb e2e/pay.ts "
    "test_scale.py shop/test_scale.py scale_test.go scale.test.ts scale.spec.tsx conftest.py shop/tests.py "
    "ScaleTest.java ScaleTests.cs tests/requirements.txt tests/README.md",
    "frontend": "web/Scale.tsx web/Scale.jsx app.vue App.svelte style.css style.scss index.html",
    "javascript": "web/scale.ts web/scale.js index.mjs index.cjs",
    "backend": "shop/scale.py main.go lib.rs uv.c uv.h Scale.java scale.rb schema.sql infra/test.tf deploy.sh contest.py latest.py attest.go",
    "docs": "README.md docs/guide.rst docs/en/index.mdx LICENSE CHANGELOG notes.txt contributing.md",
    "config": "requirements.txt requirements-dev.txt requirements/dev.txt pyproject.toml package.json Dockerfile Dockerfile.dev "
    "Makefile CMakeLists.txt .gitignore .github/workflows/test.yml .env .env.example .eslintrc vite.config.ts uv.lock go.mod",
    "other": "logo.png LOGO.SVG noending a/b .hidden data.bin folder.py/noending",
}


@pytest.mark.parametrize(
    ("path", "category"), [(path, name) for name, paths in TABLE.items() for path in paths.split()]
)
def test_categories(path: str, category: str) -> None:
    assert file_category(path) == category


@given(st.text(min_size=1))
def test_every_path_has_a_category(path: str) -> None:
    assert file_category(path) in TABLE
    assert file_category(f"tests/{path}") == "test"
