# make demo   replays a recorded evening and stays up (ONCE=1 ends after it)
# make test   everything that must hold before a change goes in (make coverage: with the lines that no test reaches)
# Both set .venv up from the locked, hashed requirements; nothing but Python 3.11 or newer has to be there.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
ONCE ?=
ARGS ?=
WORKERS ?= auto

.PHONY: help demo test suite coverage bench lint format catalogues lock clean

help:
	@sed -n '1,3s/^# //p' Makefile

# The newest interpreter that is new enough; `make PYTHON=/path/to/python test` takes another.
$(STAMP): requirements-dev.txt
	@set -e; \
	fits() { "$$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }; \
	found=""; \
	for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if fits "$$candidate"; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "plusone needs Python 3.11 or newer with its venv module, and none is on the PATH." >&2; \
	  echo "Install one (on Debian and Ubuntu also the package python3-venv), or say where it is: make PYTHON=/path/to/python3.12 test" >&2; \
	  exit 1; \
	fi; \
	if ! fits "$(PY)"; then rm -rf "$(VENV)"; "$$found" -m venv "$(VENV)"; fi; \
	"$(PY)" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements-dev.txt; \
	touch "$@"

demo: $(STAMP)
	@$(PY) -m plusone demo $(if $(filter-out 0,$(ONCE)),--once)

lint: $(STAMP)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

# The tests also hold the models against the migrations and the schema against schema.graphql.
test: lint suite

suite: $(STAMP)
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

# The same suite, traced.
coverage:
	@$(MAKE) --no-print-directory test ARGS="--cov=plusone --cov=api --cov=domain --cov=workers --cov-report=term:skip-covered $(ARGS)"

# Every benchmark in its short form, some minutes in all; docs/performance.md tells of the long ones.
bench: $(STAMP)
	@$(PY) -m plusone bench --quick

format: $(STAMP)
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

# What the code says and the catalogues lack goes into them, to be filled in; docs/words.md tells how.
POT := $(VENV)/plusone.pot
catalogues: $(STAMP)
	@$(PY) -m babel.messages.frontend --quiet extract --mapping=domain/words/babel.cfg --add-location=file --sort-by-file --no-wrap --output-file=$(POT) .
	@$(PY) -m babel.messages.frontend --quiet update --input-file=$(POT) --domain=plusone --output-dir=domain/words \
	  --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --no-wrap
	@$(PY) -m domain.words.extracting

# Needs uv; writes both requirements files anew from pyproject.toml.
lock:
	@command -v uv >/dev/null || { echo "make lock needs uv on the PATH." >&2; exit 1; }
	@uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --quiet -o requirements.txt
	@uv pip compile pyproject.toml --upgrade --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --quiet -o requirements-dev.txt

clean:
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
