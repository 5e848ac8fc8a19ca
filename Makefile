# Daily commands of radpool; `make` alone lists them.

SHELL := /bin/sh
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
# What development needs holds all that the product needs.
INSTALLED := $(if $(wildcard $(DEVELOPMENT)),$(DEVELOPMENT),$(RUNTIME))

# Handed on to the command of the target, for example: make demo ARGS="--once"
ARGS ?=
# Which benchmark `make bench` runs.
NAME ?=

.DEFAULT_GOAL := help
.PHONY: help demo test proofs check lint types imports dead-code tree bench lock format clean

help:  ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED)  ## Run the demonstration network (ARGS="--once" ends after the run)
	@exec $(BIN)/radpool demo $(ARGS)

test: $(DEVELOPMENT)  ## Run the tests, with the real peers that are installed (ARGS go to pytest)
	@scripts/install-test-peers
	@exec $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not proof" $(ARGS)

proofs: $(DEVELOPMENT)  ## Run the long forms of the attacks (ARGS go to pytest)
	@scripts/install-test-peers
	@exec $(BIN)/python -m pytest -m proof --timeout 0 $(ARGS)

check: lint types imports dead-code tree  ## Check style, types, import rule, dead code, the tree

lint: $(DEVELOPMENT)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(DEVELOPMENT)
	@$(BIN)/mypy

imports: $(DEVELOPMENT)
	@$(BIN)/lint-imports --no-logo

dead-code: $(DEVELOPMENT)
	@$(BIN)/python scripts/find_dead_code.py

tree: $(DEVELOPMENT)
	@$(BIN)/python scripts/check_tree.py

bench: $(DEVELOPMENT)  ## Run one benchmark beside its peers, for example NAME=ingest (ARGS go to it)
	@scripts/install-test-peers
	@exec $(BIN)/python -m benchmarks $(NAME) $(ARGS)

lock: $(DEVELOPMENT)  ## Compile the hashed requirements anew (ARGS="--upgrade" takes newer versions)
	@scripts/compile-locks $(ARGS)

format: $(DEVELOPMENT)  ## Put the source in the house's format
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

clean:  ## Remove the virtual environment and every cache; data folders stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements.lock pyproject.toml scripts/install
	@scripts/install requirements.lock && touch $@

$(DEVELOPMENT): requirements-dev.lock pyproject.toml scripts/install
	@scripts/install requirements-dev.lock && touch $@
