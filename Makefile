# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
DEMO_DIR ?= demo_out

.PHONY: help venv demo test test-all lint types check format clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

venv: $(INSTALLED)  ## make .venv with the tested versions

$(INSTALLED): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (about two minutes, torch is large) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)  ## pretrain and transfer on generated data; table and HTML report
	@$(PY) tools/demo.py --work-dir $(DEMO_DIR)

test: $(INSTALLED)  ## default tests, under 6 minutes on 2 cores
	$(PY) -m pytest -q -n 2

test-all: $(INSTALLED)  ## also the slow ones
	$(PY) -m pytest -q -n 2 -m 'not gpu'

lint: $(INSTALLED)  ## ruff
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(INSTALLED)  ## mypy
	$(PY) -m mypy

check: lint types test  ## what CI runs

format: $(INSTALLED)  ## rewrite the code in the house style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean:  ## remove .venv and caches, keep results
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache *.egg-info
