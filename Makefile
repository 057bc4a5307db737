# `make` prints what there is. Everything happens in .venv; `make install` is the step that the others share.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed
TESTS ?= tests
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help run test test-all lint format bench bench-check bench-api bench-ui bench-sessions install install-development lock clean

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUNTIME)  ## Start the CRM on http://localhost:8501
	@$(BIN)/streamlit run app.py

test: $(DEVELOPMENT)  ## Run every test in its short form; TESTS="tests/api tests/ui" for some of them
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal --durations 30 $(TESTS)

test-all: export CRM_TEST_LONG := 1
test-all: test  ## ... in its long form: more examples and repetitions, everything on both databases

lint: $(DEVELOPMENT)  ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .

format: $(DEVELOPMENT)  ## Bring the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(DEVELOPMENT)  ## Measure the library beside SQL by hand; BENCH="--deals 10000 100000 1000000" for other sizes
	@$(BIN)/python -m bench.library $(BENCH)

bench-check: $(DEVELOPMENT)  ## See that nothing takes twice as long, held against SQL by hand, as it did
	@$(BIN)/python -m bench.library --deals 10000 --check

bench-api: $(DEVELOPMENT)  ## Measure the API beside raw SQL on 100,000 deals; BENCH="--deals 1000" for other ones
	@$(BIN)/python -m bench.api $(BENCH)

bench-ui: $(DEVELOPMENT)  ## Measure in a browser what people wait for on 100,000 deals; BENCH="--part board" measures less
	@$(BIN)/python -m bench.ui $(BENCH)

bench-sessions: $(DEVELOPMENT)  ## Let twenty sessions work for five minutes; BENCH="--sessions 5 --minutes 1" is quicker
	@$(BIN)/python -m bench.sessions $(BENCH)

install: $(RUNTIME)  ## Set up .venv with what the CRM needs
install-development: $(DEVELOPMENT)  ## ... and with what its tests need

lock: $(DEVELOPMENT)  ## Compile the locked requirements from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
	    pyproject.toml --output-file requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock" \
	    pyproject.toml --group dev --constraint requirements.txt --output-file requirements-dev.txt

clean:  ## Remove .venv and everything tests left; your data stays
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "The CRM needs Python 3.11 or newer: make run PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.txt | $(BIN)/pip
	@echo "Installing what the CRM needs; this takes a minute."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(DEVELOPMENT): requirements-dev.txt requirements.txt | $(BIN)/pip
	@echo "Installing what the tests need; this takes a minute."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(RUNTIME)
