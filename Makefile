# The only list of commands; CI and the commit hooks call these.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
WORKSPACE ?= workspace
CONFIG ?= pipelines/configs/demo.yaml
ROOMS := invopt serving components pipelines feature_repo benchmarks

.DEFAULT_GOAL := help
.PHONY: help install run serve test test-unit check format golden lock clean

##@ Use
run: $(VENV)/.installed  ## train, plan orders and watch drift on the demo data
	$(BIN)/invopt run training --config $(CONFIG) --workspace $(WORKSPACE)
	$(BIN)/invopt run replenishment --config $(CONFIG) --workspace $(WORKSPACE) --out $(WORKSPACE)/orders.csv
	$(BIN)/invopt run monitoring --config $(CONFIG) --workspace $(WORKSPACE)
	@echo "report: $$(ls -t $(WORKSPACE)/runs/training-*/report/index.html | head -1)"

serve: $(VENV)/.installed  ## answer requests with the champion on port 8080
	$(BIN)/invopt serve --workspace $(WORKSPACE)

##@ Develop
install: $(VENV)/.installed  ## make .venv with everything

test: $(VENV)/.installed  ## every check and test that needs no cluster, GPU or network
	$(BIN)/pytest

test-unit: $(VENV)/.installed  ## the tests that start no pipeline and no server
	$(BIN)/pytest -m "not slow"

check: $(VENV)/.installed  ## format, lint, types, import rules, fresh golden files
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.golden --check

format: $(VENV)/.installed  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(VENV)/.installed  ## rewrite the compiled pipelines under tests/golden
	$(BIN)/python -m tests.golden

lock: $(VENV)/.installed  ## resolve constraints.txt again, moving as little as possible
	$(PIP) uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --python-version 3.11 --no-header \
	  --no-annotate --output-file constraints.txt

clean:  ## remove .venv and caches; data and workspaces stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info

help:  ## this list
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*##/ {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# torch first: constrained by the others' ranges alone, pip would fetch a CUDA build of several GB.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[all,dev]'
	touch $@
