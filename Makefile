# daiku: every target sets up what it needs. `make` lists them.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test test-fast test-journeys check bench crash lock format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: ## make .venv from the pinned, hashed requirements
	@$(PYTHON) scripts/setup.py

demo: setup ## build the example cluster in the lab: everything real that can be real
	@$(BIN)/python scripts/demo.py

demo-down: setup ## take the demo's cluster and the lab down again
	@$(BIN)/python scripts/demo.py --down

test: setup ## all tests: unit, property, engine and lab lanes
	@$(BIN)/python scripts/test.py

test-fast: setup ## unit and property tests only (two minutes)
	@$(BIN)/pytest -n 2 -m "not engine and not lab and not kubernetes and not slow"

test-journeys: setup ## whole rehearsals: bad days, kills, planted secrets (minutes; wants a quiet machine)
	@$(BIN)/pytest -p no:randomly tests/main_job tests/canaries tests/phases/test_lab.py

check: setup ## ruff, pyright (strict), import rules, links and address checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python scripts/hygiene.py

bench: setup ## print the benchmarks (ratios and counts)
	@$(BIN)/python benchmarks/run.py

crash: setup ## kill runs at 2,000 points and more, and see that the next run finishes them (ten minutes)
	@$(BIN)/python -m tests.crash

lock: setup ## refresh requirements.lock from pyproject.toml
	$(BIN)/pip install -q uv==0.13.8
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --universal --extra lab --group dev pyproject.toml -o requirements.lock

format: setup ## format and sort imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove .venv and caches (not .daiku: that is your cluster's state)
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache
