# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
DEMO ?= work_dirs/demo
DEMO_PRETRAIN := configs/demo/msbreg_resnet18-w16_1xb64-coslr-24e_shapes.py
DEMO_TASK := configs/demo/mask-rcnn_r18-w16-fpn_14e_shapes.py

.PHONY: help venv demo test test-all lint types docs check format clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

venv: $(INSTALLED)  ## make .venv with the tested versions

$(INSTALLED): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (about two minutes, torch is large) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

# Three commands that anyone can type; each goes on where it was interrupted.
demo: $(INSTALLED)  ## pretrain and transfer on generated data; table and HTML report
	$(PY) tools/prepare_data.py shapes $(DEMO)/shapes
	$(PY) tools/train.py $(DEMO_PRETRAIN) --work-dir $(DEMO)/pretrain --resume --seed 0 \
		--cfg-options data_root=$(DEMO)/shapes
	$(PY) tools/transfer.py random msbreg=$(DEMO)/pretrain/epoch_24.pth \
		--tasks $(DEMO_TASK) --seeds 0 1 2 --work-dir $(DEMO)/transfer \
		--pretrain-dir msbreg=$(DEMO)/pretrain --cfg-options data_root=$(DEMO)/shapes

test: $(INSTALLED)  ## default tests, under 6 minutes on 2 cores
	$(PY) -m pytest -q -n 2

test-all: $(INSTALLED)  ## also the slow ones
	$(PY) -m pytest -q -n 2 -m 'not gpu'

lint: $(INSTALLED)  ## ruff
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(INSTALLED)  ## mypy
	$(PY) -m mypy

docs: $(INSTALLED)  ## the site, in site/; fails on a dead link
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build -q

check: lint types test docs  ## what CI runs

format: $(INSTALLED)  ## rewrite the code in the house style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean:  ## remove .venv and caches, keep results
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache *.egg-info
