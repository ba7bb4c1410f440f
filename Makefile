# The two commands: `make up` and `make test`. Every EVENTMILL_* variable of the caller is honoured.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help up test lint docs pictures snippet dashboard bench chaos

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input -c constraints.txt
# Packages run no scripts of their own.
NPM_CI := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
CHECKED := eventmill ingest_service analytics_pipeline query_service clients/python tests

help:
	@echo "make up      install into .venv and start everything; Ctrl-C stops it"
	@echo "make test    install, set a browser and SDKs up and run all tests"
	@echo "make lint    format, lint, types, imports, SQL"
	@echo "make docs    write the generated pages of docs/ again"
	@echo "make pictures  take the dashboard's pictures in docs/images again"
	@echo "make snippet check and build the browser snippet; needs Node"
	@echo "make dashboard  check the dashboard's scripts, copy its libraries again; needs Node"
	@echo "make bench   measure: bench ingest, or NAME=freshness for another; ARGS for its options"
	@echo "make chaos   kill parts under load and compare the counts"

# Shell variables of the recipes below: $$python is the first fitting interpreter, empty when there is none.
define find_python
for candidate in "$(PYTHON3)" python3 python3.13 python3.12 python3.11; do \
  [ -n "$$candidate" ] && command -v "$$candidate" >/dev/null 2>&1 || continue; \
  if ! "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
    too_old="$$too_old $$candidate is $$("$$candidate" -c 'import platform; print(platform.python_version())');"; continue; \
  fi; \
  if ! "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then bare="$$candidate"; continue; fi; \
  python="$$candidate"; break; \
done
endef

$(BIN)/python:
	@$(find_python); \
	if [ -n "$$python" ]; then \
	  echo "Creating $(VENV) with $$python …"; rm -rf $(VENV); "$$python" -m venv $(VENV); \
	elif [ -n "$$bare" ]; then \
	  echo "Error: $$bare cannot create a virtual environment." >&2; \
	  echo "On Debian and Ubuntu: apt install python3-venv. Then run make again." >&2; exit 1; \
	else \
	  echo "Error: eventmill needs Python 3.11 or newer;$${too_old:- no python3 was found.}" >&2; \
	  echo "Install one (apt install python3.11 python3.11-venv, brew install python@3.13)," >&2; \
	  echo "or name it: make PYTHON3=/path/to/python3.13 $(MAKECMDGOALS)" >&2; exit 1; \
	fi

# The stamps let a warm start skip the installation; an interrupted one leaves none.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing eventmill and its dependencies into $(VENV) …"
	@$(PIP) -e . && touch $@

$(INSTALLED_DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing eventmill with its tools for tests into $(VENV) …"
	@$(PIP) -e ".[dev]" && touch $(INSTALLED) $@

up: $(INSTALLED)
	@exec $(BIN)/eventmill up

test: $(INSTALLED_DEV)
	@$(BIN)/python tests/browser.py
	@$(BIN)/python tests/sdk/install.py
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project analytics_pipeline/sql analytics_pipeline/stores/checks eventmill/analysis/sql
	@if command -v npm >/dev/null 2>&1; then cd clients/dashboard && { [ -x node_modules/.bin/tsc ] || $(NPM_CI); } && npm run --silent check; \
	else echo "No Node.js here: the types of the dashboard's scripts are not checked."; fi

docs: $(INSTALLED_DEV)
	@$(BIN)/python -m eventmill.contracts.reference > docs/events.md
	@$(BIN)/python -m eventmill.contracts.metrics_reference > docs/metrics.md
	@$(BIN)/python -m eventmill.settings_reference > docs/settings.md
	@$(BIN)/python -m eventmill.settings_reference --env > .env.example
	@$(BIN)/python -m query_service.graphql.schema > docs/schema.graphql

pictures: $(INSTALLED_DEV)
	@$(BIN)/python tests/browser.py
	@$(BIN)/python -m pytest tests/integration/dashboard/test_pictures.py --pictures

snippet:
	@cd clients/snippet && $(NPM_CI) && npm run --silent check && npm run --silent build

dashboard:
	@cd clients/dashboard && $(NPM_CI) && npm run --silent check && npm run --silent vendor

# `make bench ingest` and `make bench NAME=ingest` are the same.
bench: $(INSTALLED_DEV)
	@$(BIN)/python -m tests.benchmarks $(or $(NAME),$(filter ingest transform,$(MAKECMDGOALS))) $(ARGS)

ingest transform:
	@$(if $(filter bench,$(MAKECMDGOALS)),:,echo "It is: make bench $@" >&2; exit 1)

chaos: $(INSTALLED_DEV)
	@$(BIN)/python -m pytest -m chaos $(ARGS)
