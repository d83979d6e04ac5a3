# make demo    evaluate swish against relu and tanh on embedded real data, and write a report
# make test    lint, types and tests
# make proofs  prove the facts of the whole zoo in ball arithmetic, then run the exhaustive tests (half an hour)
# make docs    build the site into site/ (opens offline)
# make lock    resolve the dependencies again
# Needs Python 3.11 or newer, git and make; PYTHON=... chooses the interpreter. Works offline once the environment stands.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: demo test proofs docs lint setup clean lock

PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile -q --durations 15

demo: $(VENV)/.core
	$(BIN)/actlab evaluate swish --against relu,tanh --out runs/demo

# Programs of tests are small: compiled in one piece. What does not hang on how XLA rounds is compiled by its elder
# emitters without LLVM's optimizations, in half the time.
WHOLE := --xla_cpu_parallel_codegen_split_count=1
QUICK := $(WHOLE) --xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0

test: lint
	XLA_FLAGS="$(QUICK)" $(PYTEST) -m "tolerant and not exhaustive"
	XLA_FLAGS="$(WHOLE)" $(PYTEST) -m "not tolerant and not exhaustive"

proofs: $(VENV)/.dev
	PROOF_TIER=proved $(BIN)/python -m pytest -q tests/proofs/test_zoo.py
	$(BIN)/python -m pytest -q -m exhaustive

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs site
	@echo "open site/index.html"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

setup: $(VENV)/.dev

# uv where it is, else pip; both from the lock, with hashes.
define install
	@echo "installing requirements/$(1).txt into $(VENV) ..."
	@if command -v uv >/dev/null && uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/$(1).txt; \
	then uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$(1).txt && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; fi
	@touch $@
endef

$(VENV)/.core: requirements/core.txt pyproject.toml | $(BIN)/python
	$(call install,core)

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(call install,dev)
	@touch $(VENV)/.core

$(VENV)/.docs: requirements/docs.txt pyproject.toml | $(BIN)/python
	$(call install,docs)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "actlab needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; print("creating $(VENV) with Python", sys.version.split()[0], "...")'
	@$(PYTHON) -m venv $(VENV)

lock:
	uv pip compile pyproject.toml requirements/build.in --extra dev $(LOCK) -o requirements/dev.txt
	uv pip compile pyproject.toml requirements/build.in -c requirements/dev.txt $(LOCK) -o requirements/core.txt
	uv pip compile pyproject.toml requirements/build.in --extra docs -c requirements/dev.txt $(LOCK) -o requirements/docs.txt

LOCK := --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

clean:
	rm -rf $(VENV) .cache
