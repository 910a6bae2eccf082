"""What sort of file a path is. Tests anywhere come before what the ending says."""

from __future__ import annotations

import re
from functools import lru_cache

_TEST_FOLDER = re.compile(r"(?:^|/)(?:__tests__|tests?|specs?|e2e|testdata|cypress)/", re.IGNORECASE)
_TEST_NAME = re.compile(
    r"(?:^|/)(?:test[_-][^/]*|tests?\.(?:[cm]?[jt]sx?|c|cc|cpp|go|php|py|rb|rs|sh)|conftest\.py|[^/]*[._-](?:test|tests|spec|e2e)\.[^/]+"
    r"|[^/]*(?-i:[a-z0-9]Tests?)\.(?:cs|java|kt|php|scala|swift))\Z",
    re.IGNORECASE,
)
_CONFIG_NAME = re.compile(
    r"(?:^|/)(?:requirements(?:/[^/]*|[^/]*)\.txt|constraints[^/]*\.txt|dockerfile[^/]*|makefile[^/]*|cmakelists\.txt|procfile"
    r"|go\.mod|go\.sum|justfile|jenkinsfile|vagrantfile|gemfile|rakefile|pipfile|codeowners|configure\.ac|\.[^/]+rc|\.env[^/]*"
    r"|\.git[^/]+|\.editorconfig|\.dockerignore|\.npmignore|\.nvmrc|[^/]+\.config\.[cm]?[jt]s)\Z",
    re.IGNORECASE,
)
_DOCS_NAME = re.compile(
    r"(?:^|/)(?:readme|license|licence|copying|authors|contributors|maintainers|changelog|changes|news|notice|contributing)\Z",
    re.IGNORECASE,
)
_ENDINGS = {
    "frontend": "astro css hbs htm html jsx less sass scss styl svelte tsx vue",
    "javascript": "cjs cts js mjs mts ts",
    "backend": "asm bash c cc clj cpp cs cxx dart erl ex exs f90 fs go graphql groovy h hh hpp hs java jl kt lua m ml "
    "mm nim php pl pm prisma proto ps1 py pyi pyx r rb rs s scala sh sol sql swift tf vb zig zsh",
    "docs": "1 3 adoc asciidoc md mdx org pod rst tex txt",
    "config": "ac am bazel cfg cmake conf env gn gni gradle gyp gypi in ini json json5 jsonc lock mk ninja plist "
    "properties sbt toml xml yaml yml",
}
_BY_ENDING = {ending: category for category, endings in _ENDINGS.items() for ending in endings.split()}


_CODE = frozenset(("frontend", "backend", "javascript"))


def is_code(category: str) -> bool:
    """Return whether files of this category hold code that runs."""
    return category in _CODE


@lru_cache(maxsize=65_536)  # the same paths come again in pull request after pull request
def file_category(path: str) -> str:
    """Return one of test, frontend, backend, javascript, docs, config, other.

    >>> file_category("tests/app.py"), file_category("requirements.txt"), file_category("web/App.tsx")
    ('test', 'config', 'frontend')
    """
    if _TEST_FOLDER.search(path) or _TEST_NAME.search(path):
        return "test"
    if _CONFIG_NAME.search(path):
        return "config"
    if _DOCS_NAME.search(path):
        return "docs"
    name = path.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    return _BY_ENDING.get(ending.lower(), "other") if dot and stem else "other"
