# Every target does all the set-up it needs and may be run again; the second run installs nothing.
PYTHON ?= python3
PYTEST_ARGS ?=
BENCH ?=
RUN := .venv/bin/python

# Without compiled bytecode each Airflow task starts more than twice as slowly.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH
export PYTHON

.PHONY: help setup demo up down status test quick unit e2e pictures bench docs lint format clean
.DEFAULT_GOAL := help
# Both kinds of tests want both cores.
.NOTPARALLEL:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv with every pinned package
	@sh local/setup.sh

demo: setup ## Break candle history and watch Airflow repair it (DEMO_EXIT=1: stop everything afterwards)
	@$(RUN) -m local demo

up: setup ## Start everything with the UI on the live exchange (KRAKEN_BASE_URL=URL, KRAKEN_REPLAY=FOLDER: another one; POSTGRES_URL=URL: your PostgreSQL)
	@$(RUN) -m local up

down: setup ## Stop everything; the data stays
	@$(RUN) -m local down

status: setup ## Say what runs and where
	@$(RUN) -m local status

test: quick e2e ## Run all tests

quick: setup ## Run the tests on the real services, all but the end-to-end ones (PYTEST_ARGS= adds arguments)
	@$(RUN) -m pytest -n 3 --dist loadfile -m "not slow" $(PYTEST_ARGS)

unit: setup ## Run the tests that need no service, in seconds (PYTEST_ARGS= adds arguments)
	@$(RUN) -m pytest tests/unit $(PYTEST_ARGS)

e2e: setup ## Run the end-to-end tests, which share one whole Airflow (PYTEST_ARGS= adds arguments)
	@$(RUN) -m pytest -m slow tests/e2e $(PYTEST_ARGS)

pictures: setup ## Make the pictures of the documents anew, by a demo with a browser (needs chromium)
	@DEMO_EXIT=1 DEMO_PICTURES=docs $(RUN) -m local demo

bench: setup ## Measure ratios against the plainest way to do the same (BENCH="name ...": only these; big: in full size)
	@$(RUN) -m bench $(BENCH)

docs: setup ## Write docs/DAGS.md, the schema of assets.yaml and the table of rooms in docs/ARCHITECTURE.md from the code
	@$(RUN) -m tools.dags_document
	@$(RUN) -m tools.plan_schema
	@$(RUN) -m tools.rooms_table

lint: setup ## Check format, lint rules, types, layers and prose
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@.venv/bin/lint-imports --no-logo --cache-dir .ruff_cache/imports
	@$(RUN) -m tools.prose_check

format: setup ## Format the code
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

clean: ## Stop everything; delete .venv, demo and replay data and caches (live data and downloads stay)
	@if [ -x $(RUN) ]; then $(RUN) -m local down; fi
	rm -rf .sandbox/demo .sandbox/replay .sandbox/demo-report.json .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
