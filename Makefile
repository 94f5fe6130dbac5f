# Every target sets up what it needs: a virtual environment in .venv, then the job.
# The first Python that is new enough; another with make PYTHON=...
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(name))) python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
# Without a GPU the constraints file keeps torch at the tested CPU release; with one, pip's own choice.
CONSTRAINTS := $(shell command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q GPU || echo "-c constraints.txt")

.PHONY: demo test test-all faults lint types benchmarks clean

demo: $(STAMP)
	$(BIN)/triton-earth demo weather

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-all: $(STAMP)
	$(BIN)/python -m pytest

# 100 kills, 100 power cuts, pairs of commands and 1000 hostile inputs; others with make faults FAULTS_SEED=...
FAULTS_SEED ?= 1
faults: $(STAMP)
	FAULTS_SEED=$(FAULTS_SEED) FAULTS_KILLS=100 FAULTS_INPUTS=1000 $(BIN)/python -m pytest -n 2 --dist worksteal tests/faults

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

benchmarks: $(STAMP)
	$(BIN)/python benchmarks/solver.py
	$(BIN)/python benchmarks/network.py

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Triton Earth needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make demo PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) -e ".[dev]"
	touch $(STAMP)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
