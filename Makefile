# The only list of commands; CI and the commit hooks call these.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
# uv: what it resolves in twenty seconds takes pip's resolver five to eleven minutes.
INSTALL := UV=$(BIN)/uv VIRTUAL_ENV=$(abspath $(VENV)) sh docker/install.sh
WORKSPACE ?= workspace
CONFIG ?= pipelines/configs/demo.yaml
BUILDER ?= docker
REGISTRY ?= localhost
TAG ?= $(shell git rev-parse --short=12 HEAD)
# Empty: the Dockerfile's own, by its digest.
BASE ?=
TORCH_INDEX_URL ?= https://download.pytorch.org/whl/cpu
BUILD_ARGS ?=
WORKERS ?= 2
PYTEST := $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# Where it is set, every one of a run's processes would compile pandas, torch and kfp anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run serve e2e test test-unit check format golden docs docs-reference lock collect clean image
.PHONY: manifests

##@ Use
run: $(VENV)/.installed  ## train, plan orders and watch drift on the demo data
	$(BIN)/invopt run training --config $(CONFIG) --workspace $(WORKSPACE)
	$(BIN)/invopt run replenishment --config $(CONFIG) --workspace $(WORKSPACE) --out $(WORKSPACE)/orders.csv
	$(BIN)/invopt run monitoring --config $(CONFIG) --workspace $(WORKSPACE)
	@echo "report: $$(ls -t $(WORKSPACE)/runs/training-*/report/index.html | head -1)"

serve: $(VENV)/.installed  ## answer requests with the champion on port 8080
	$(BIN)/invopt serve --workspace $(WORKSPACE)

e2e: $(VENV)/.installed  ## the whole loop on the cluster of KUBECONFIG (SHORT=1: without KFP; FAULTS=1: faults too)
	$(BIN)/python -m tests.e2e $(if $(SHORT),--short) $(if $(FAULTS),--faults) $(if $(KEEP),--keep)

##@ Develop
install: $(VENV)/.installed-dev  ## make .venv with everything

test: check  ## every check and test that needs no cluster, GPU or network
	$(PYTEST)

# Workers that start in different seconds must collect the same tests, else none of them runs.
collect: $(VENV)/.installed-dev  ## collect the tests twice, seconds apart, and compare
	@mkdir -p build; collect() { PYTHONHASHSEED=$$1 $(BIN)/pytest --collect-only \
	    -o addopts='--import-mode=importlib -q' | grep '::' > build/collected-$$1; }; \
	collect 1 & sleep 2; collect 2 && wait $$! && diff build/collected-1 build/collected-2

test-unit: $(VENV)/.installed-dev  ## the tests that train nothing and start no pipeline and no server
	$(PYTEST) -m "not slow"

check: $(VENV)/.installed-dev  ## format, lint, types, import rules, fresh golden files
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.golden --check
	$(BIN)/python -m docs.reference --check

format: $(VENV)/.installed-dev  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(VENV)/.installed-dev  ## rewrite the compiled pipelines under tests/golden
	$(BIN)/python -m tests.golden

docs: $(VENV)/.installed-dev  ## build the documentation's site under build/docs, warnings as errors
	$(BIN)/sphinx-build -q -W --keep-going -c docs . build/docs

docs-reference: $(VENV)/.installed-dev  ## rewrite docs/reference from the code
	$(BIN)/python -m docs.reference

lock: $(VENV)/.installed-dev  ## resolve constraints.txt again, moving as little as possible
	$(BIN)/uv pip compile pyproject.toml --all-extras --python-version 3.11.5 --no-header \
	  --no-annotate --output-file constraints.txt
	$(BIN)/uv pip compile constraints.txt --no-deps --python-version 3.11.5 --no-header \
	  --no-annotate --generate-hashes --no-emit-package torch --output-file docker/hashes.txt

##@ Ship
image:  ## build both images (BUILDER=docker|podman|buildah REGISTRY=... BASE=... BUILD_ARGS=...)
	for target in server job; do \
	  $(BUILDER) $(if $(filter buildah,$(BUILDER)),bud --layers,build) \
	    $(if $(BASE),--build-arg BASE=$(BASE)) --build-arg REVISION=$(TAG) \
	    --build-arg TORCH_INDEX_URL=$(TORCH_INDEX_URL) $(BUILD_ARGS) \
	    --target $$target --tag $(REGISTRY)/invopt-$$target:$(TAG) . || exit 1; \
	done
	@echo "export INVOPT_IMAGE=$(REGISTRY)/invopt-job:$(TAG)"
	@echo "cd k8s/overlays/production && kustomize edit set image \\"
	@echo "  invopt-job=$(REGISTRY)/invopt-job:$(TAG) invopt-server=$(REGISTRY)/invopt-server:$(TAG)"

manifests:  ## build every overlay (needs kubectl)
	for overlay in k8s/overlays/*; do kubectl kustomize $$overlay > /dev/null || exit 1; done

clean:  ## remove .venv and caches; data and workspaces stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build *.egg-info

help:  ## this list
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*##/ {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A machine without a GPU needs no CUDA libraries (4 GB): torch comes from an index of such builds
# where one answers, from a folder of wheels (PIP_FIND_LINKS) where that has it, else as PyPI has it.
$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing what running needs: one to three minutes, 2.3 GB (6 GB with CUDA)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	@if ! command -v nvidia-smi > /dev/null && $(BIN)/python docker/answers.py $(TORCH_INDEX_URL)/torch/; \
	  then INDEX=$(TORCH_INDEX_URL) $(INSTALL) --no-deps torch; fi
	$(INSTALL) --editable '.[all]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing what checks and tests need"
	$(INSTALL) --editable '.[all,dev]'
	touch $@
