# Everything is made on the first call: `make demo` and `make test` need Python 3.11 or newer and
# nothing else. Paths are relative, so that a checkout may lie anywhere, spaces in its name included.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-all check docs bench clean distclean

# Packages of another environment must not leak into this one, and modules are compiled once: each job
# of a row is a process of its own.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq

help:
	@echo 'make demo      the main job on a simulated mouse, and what came out'
	@echo 'make test      linters, types, layers and the tests (without the slow ones)'
	@echo 'make test-all  the same with every test'
	@echo 'make check     linters, types and layers only'
	@echo 'make docs      the documentation, into site/'
	@echo 'make bench     the benchmarks, each beside its peers'
	@echo 'make clean     remove caches and what was built; make distclean: environments and demo too'

demo: .venv/.runtime
	@$(BIN)/wakeful demo

test: check
	@$(BIN)/pytest -q -n 2 --dist worksteal -m 'not slow'

test-all: check
	@$(BIN)/pytest -q -n 2 --dist worksteal

check: .venv/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: .venv/.dev
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv-bench/.made
	@set -e; for benchmark in benchmarks/[!_]*.py; do \
	  echo "== $$benchmark"; .venv-bench/bin/python "$$benchmark"; \
	done

clean:
	rm -rf site build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks docs -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf .venv .venv-bench demo

# The first Python on the path that really runs, is new enough and can make environments; first those
# for which every package comes as a wheel (for 3.13, pyEDFlib, in the tests, may need a compiler).
define make_environment
@found=; for candidate in python3.12 python3.11 python3.13 python3; do \
  if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
      >/dev/null 2>&1; then found=$$candidate; break; fi; \
done; \
if [ -z "$$found" ]; then \
  echo 'No Python 3.11 or newer that can make environments was found (looked for python3.12,' \
    'python3.11, python3.13, python3). Install one; on Debian and Ubuntu: sudo apt install' \
    'python3 python3-venv' >&2; \
  exit 1; \
fi; \
"$$found" -m venv --clear $(1)
endef

.venv/bin/python:
	$(call make_environment,.venv)

.venv/.runtime: pyproject.toml requirements.lock .venv/bin/python
	@echo 'making the environment (1-2 minutes, once) ...'
	@$(PIP) install -r requirements.lock
	@$(PIP) install --no-deps -e .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.runtime
	@echo 'adding the tools for tests and docs (a minute, once) ...'
	@$(PIP) install -r requirements-dev.lock
	@touch $@

.venv-bench/bin/python:
	$(call make_environment,.venv-bench)

.venv-bench/.made: pyproject.toml benchmarks/requirements.txt .venv-bench/bin/python
	@echo 'making the environment of the benchmarks (a few minutes, once) ...'
	@.venv-bench/bin/python -m pip -qq install -r benchmarks/requirements.txt
	@.venv-bench/bin/python -m pip -qq install --no-deps -e .
	@touch $@
