# pets: make help
#
# Everything runs in .venv, which is made here with $(PYTHON) and rebuilt when pyproject.toml or constraints.txt change.

PYTHON ?= python3
# Where to find another build of PyTorch, e.g. the CPU one: https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
# Processes that run the tests: one more than a small machine has cores, since some tests wait for other processes.
JOBS ?= 3
# make test-random: which order (left out: another one each time), and what is shuffled: module (modules, and the tests
# within each) or global (all tests; what modules make once is then made again and again).
SEED ?=
SHUFFLED ?= module
# make demo DATA=stays.csv SCHEMA=stays.yaml QUERY=query.yaml
DATA ?=
SCHEMA ?=
QUERY ?=

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q -c constraints.txt
TESTS = pytest -q -n $(JOBS) --dist worksteal --doctest-modules --ignore=pets/__main__.py --ignore-glob='pets/ledger/db/migrations/*' tests pets
BENCHMARKS = $(wildcard benchmarks/bench_*.py)

.PHONY: help demo test test-random test-busy lint bench docs soak clean

help: ## what there is
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1	\2/p' Makefile | expand -t 16
	@echo "  PYTHON=python3.11  TORCH_INDEX=URL  JOBS=3  SEED=7  and for demo: DATA=file SCHEMA=file QUERY=file"

demo: .venv/.light ## the toolkit in one minute, on public or on your own data (DATA=, SCHEMA=, QUERY=)
	@$(BIN)/pets demo $(if $(DATA),--data '$(DATA)') $(if $(SCHEMA),--schema '$(SCHEMA)') $(if $(QUERY),--query '$(QUERY)')

test: lint ## lint, every test, the documentation's examples and the notebooks
	@echo "== tests and examples"
	@PYTHONHASHSEED=0 $(BIN)/python -m $(TESTS)

test-random: .venv/.full ## every test, in an order of its own, and with other names, keys and orders of sets (SEED=)
	@seed=$(or $(SEED),$$RANDOM); echo "== tests in random order; again with SEED=$$seed"; \
	PYTHONHASHSEED="$$seed" NAMES_SEED="$$seed" $(BIN)/python -m $(TESTS) --random-order-bucket=$(SHUFFLED) --random-order-seed="$$seed"

test-busy: .venv/.full ## every test, beside eight busy processes
	@echo "== tests on a busy machine"
	@trap 'kill $$(jobs -p) 2>/dev/null || :' EXIT; for one in 1 2 3 4 5 6 7 8; do while :; do :; done & done; PYTHONHASHSEED=0 $(BIN)/python -m $(TESTS)

lint: .venv/.full ## style, types and the doors between modules
	@echo "== ruff"
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check . || { echo "Some files are not formatted; run: $(BIN)/ruff format ." >&2; exit 1; }
	@echo "== mypy"
	@$(BIN)/mypy --no-error-summary $(if $(wildcard .mypy_cache),,--num-workers 2) # (where nothing is known yet)
	@echo "== import-linter"
	@$(BIN)/lint-imports --no-logo

bench: .venv/.full ## every benchmark
	@$(if $(BENCHMARKS),for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python "$$script"; done,echo "There are no benchmarks/bench_*.py yet.")

docs: .venv/.full ## the pages that are made from code, and the site in build/site
	@echo "== pages made from code"
	@$(BIN)/python -m tests.docs.render
	@echo "== site"
	@$(BIN)/python -m tests.docs.site

soak: .venv/.full build/acro/.made build/viewer/.made ## the long statistical and generative runs
	@echo "== soak"
	@export PETS_ACRO_PYTHON="$${PETS_ACRO_PYTHON-$(CURDIR)/build/acro/bin/python}"; \
	export PETS_VIEWER_PYTHON="$${PETS_VIEWER_PYTHON-$(CURDIR)/build/viewer/bin/python}"; \
	[ -x "$$PETS_ACRO_PYTHON" ] || unset PETS_ACRO_PYTHON; [ -x "$$PETS_VIEWER_PYTHON" ] || unset PETS_VIEWER_PYTHON; \
	$(BIN)/python -m pytest -q -n $(JOBS) -m soak --timeout=0 tests

# acro, the outside judge of tables, needs an older pandas than pets may have; SACRO-Viewer brings a web framework.
build/acro/.made: tests/acro_judge/requirements.txt
build/viewer/.made: tests/acro_judge/viewer.txt
build/acro/.made build/viewer/.made:
	@rm -rf $(@D); mkdir -p build
	@{ '$(PYTHON)' -m venv $(@D) && $(@D)/bin/python -m pip install -q -r $<; } \
	|| { echo "$(notdir $(@D)) cannot be installed here: the tests that ask it will skip." >&2; rm -rf $(@D); mkdir $(@D); }
	@touch $@

clean: ## remove the environment, the caches and what was built
	@echo "== clean"
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis benchmarks/.cache build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ── the environment ─────────────────────────────────────────────────────────────────────────────────────────────────

# A Python that is named (PYTHON=…) is the environment's: one of another version is made anew.
VERSION = -c 'import sys; print(sys.version)' 2>/dev/null
ifneq ($(origin PYTHON),file)
ifneq ($(shell '$(PYTHON)' $(VERSION)),$(shell $(BIN)/python $(VERSION)))
OTHER := .venv/.other
endif
endif

define KNOWN
@command -v '$(PYTHON)' >/dev/null || { echo "There is no $(PYTHON) here; pets needs Python 3.11 or later (make PYTHON=/path/to/python3.11 ...)." >&2; exit 1; }
@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "pets needs Python 3.11 or later, and $(PYTHON) is $$('$(PYTHON)' -V 2>&1); try: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
endef

.PHONY: .venv/.other
.venv/.other:
	$(KNOWN)
	@rm -rf .venv

.venv/bin/pip: $(OTHER)
	$(KNOWN)
	@echo "== making .venv with $$('$(PYTHON)' -V 2>&1)"
	@'$(PYTHON)' -m venv .venv || { echo "Python could not make a virtual environment (on Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }

# The environment is a prerequisite by existence only (|): pip touches it at every turn.
.venv/.light: pyproject.toml constraints.txt $(OTHER) | .venv/bin/pip
	@echo "== installing pets and its plots"
	@$(PIP) -e '.[plot]'
	@touch $@

.venv/.full: pyproject.toml constraints.txt $(OTHER) | .venv/bin/pip
	@echo "== installing pets with every extra (some minutes the first time)"
	@$(PIP) $(if $(TORCH_INDEX),--extra-index-url '$(TORCH_INDEX)') torch==2.13.0
	@$(PIP) $(if $(TORCH_INDEX),--extra-index-url '$(TORCH_INDEX)') -e '.[all,dev]'
	@$(BIN)/python -m pip --disable-pip-version-check check
	@touch .venv/.light $@
