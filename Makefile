# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
DEMO ?= work_dirs/demo
SOAK ?= work_dirs/soak

.PHONY: help venv demo test test-all soak lint types docs wheel installs lower-bounds \
	bench-gpu audit check format clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

venv: $(INSTALLED)  ## make .venv with the tested versions

$(INSTALLED): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (about two minutes, torch is large) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## pretrain and transfer on generated data; table and HTML report
	$(PY) -m msbreg_mm demo --work-dir $(DEMO)

test: $(INSTALLED)  ## default tests, under 6 minutes on 2 cores
	$(PY) -m pytest -q -n 2

test-all: $(INSTALLED)  ## also the slow ones
	$(PY) -m pytest -q -n 2 -m 'not gpu'

soak: $(INSTALLED)  ## 50 random kills, each resumed run compared bit by bit (an hour)
	nice $(PY) tests/soak/random_kills.py $(SOAK)/kills --kills 50

lint: $(INSTALLED)  ## ruff
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(INSTALLED)  ## mypy
	$(PY) -m mypy

docs: $(INSTALLED)  ## the site, in site/; fails on a dead link
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build -q

wheel: $(INSTALLED)  ## build the wheel, use it from an empty folder
	PYTHON=$(PY) .ci/wheel

PYTHONS ?= python3.11 python3.12 python3.13
installs:  ## the same with every dependency installed, for each of PYTHONS (not in CI)
	for python in $(PYTHONS); do \
	    PYTHON=$$(command -v $$python) INSTALL=all CONSTRAINTS=$(CURDIR)/constraints.txt \
	        .ci/wheel || exit 1; \
	done

lower-bounds:  ## the same with the oldest versions of pyproject.toml (not in CI)
	PYTHON=$(PYTHON) .ci/lower-bounds

bench-gpu: $(INSTALLED)  ## tests and benchmarks that want CUDA; code 3 without it
	$(PY) tools/benchmarks/gpu.py

audit: $(INSTALLED)  ## pip check, and versions with published holes (pip-audit where it is)
	$(PY) .ci/audit

check: lint types audit test docs  ## what CI runs

format: $(INSTALLED)  ## rewrite the code in the house style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean:  ## remove .venv and caches, keep results
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache *.egg-info
