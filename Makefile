# Two commands on a fresh machine with Python 3.11 or newer: `make search`, `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TRIALS ?= 16
WORKERS ?= 2

.PHONY: search dashboard test lint types tests slow pages sanitize install install-test wheel clean help

help:            ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/:/' | expand -t 18

search: install  ## the main job: a joint search on digits seen by an event camera
	$(BIN)/aster-dse search digits_dvs --trials $(TRIALS) --workers $(WORKERS)

dashboard: install ## browse what was found
	$(BIN)/aster-dse dashboard

test: install-test lint types tests ## lint, types and all tests but the slow ones

lint: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-test
	$(BIN)/mypy

# --dist loadgroup keeps the tests that share one Ray cluster on one process.
tests: install-test
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not slow and not pages"

pages: install-test ## every command of the docs, page by page
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m pages

slow: install-test ## the tests that take long, which `make test` leaves out
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m slow

# -s: the sanitizers say what is wrong and end the process.
sanitize: install-test ## the kernels of numerics under GCC's sanitizers
	CC="gcc -g -fsanitize=address,undefined -fno-sanitize-recover=undefined" \
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	$(BIN)/python -m pytest -q -n 0 -s tests/numerics/test_array_kernels.py

install: $(VENV)/.installed
install-test: $(VENV)/.installed-test

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all,postgres]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

wheel: install-test ## build dist/*.whl
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:           ## remove what make made, but no study
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
