# Everything runs in a virtual environment that the first target makes: a machine needs Python >= 3.11, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-slow test-more test-shared schemas soak check docs format bench faker-range live clean
.DEFAULT_GOAL := help

help:            ## what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("seedjournal needs Python 3.11 or newer; set PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "making the environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[postgres]' --group dev
	@touch $(READY)

demo: $(READY)   ## the main job on an invented project, told step by step
	@$(BIN)/python -m seedjournal.demo

test: $(READY)   ## the tests, on SQLite and on a PostgreSQL that is started for them
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

test-slow: $(READY) ## the tests of which each takes seconds
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m slow

test-more: $(READY) ## the tests that take longer, or need more, as far as it can be installed: scikit-learn, npm, Debian's pgbouncer
	@left=""; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group realism \
		|| left="$$left --ignore=tests/benchmarks/test_realism.py"; \
	command -v pgbouncer >/dev/null || test -x /usr/sbin/pgbouncer \
		|| { apt-get -qq update && apt-get -qq install --yes pgbouncer; } >/dev/null \
		|| left="$$left --ignore=tests/journal/test_poolers.py"; \
	npm install --silent --no-audit --no-fund --no-save --prefix .tools/github @octokit/graphql-schema@15 \
		|| left="$$left --ignore=tests/simulators/github/test_queries.py"; \
	test -z "$$left" || echo "left out, as what they need cannot be installed here:$$left"; \
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m more $$left

test-shared: $(READY) ## the tests on the real projects' files and histories in ../shared
	@test -d ../shared || { echo "there is no ../shared beside this checkout: nothing to test with"; exit 1; }
	@$(BIN)/python -m pytest -q -n 2 -m shared

schemas: $(READY) ## published applications' tables that `init` has never seen; installs the applications
	@$(BIN)/python -m tests.schemas

soak: $(READY)   ## the long tests for SOAK_MINUTES (30) with a table of what was tried, then planted mistakes
	@$(BIN)/python -m tests.soak; status=$$?; $(BIN)/python -m tests.mutations && exit $$status

check: $(READY)  ## formatting, lint, types, imports between the rooms, words, and the documentation
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.words
	@$(BIN)/zensical build --strict --clean

docs: $(READY)   ## build the documentation into site/
	@$(BIN)/zensical build --strict

format: $(READY) ## format, and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY)  ## every step against the floor under it, on both databases: benchmarks/README.md
	@$(BIN)/python -m benchmarks

faker-range: $(READY) ## the golden texts on the oldest Faker that is allowed
	@rm -rf .tools/faker && $(BIN)/python -m pip install --quiet --disable-pip-version-check --target .tools/faker 'faker==40.1.0'
	@PYTHONPATH=.tools/faker $(BIN)/python -m pytest -q tests/simulators/test_faking.py tests/simulators/test_demo_source.py

live: $(READY)   ## fetch a small repository from GitHub itself; needs GITHUB_TOKEN, or gh
	@$(BIN)/python -m pytest -q -n 0 -m live

clean:           ## remove what was made here
	@rm -rf $(VENV) .tools dist site .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
