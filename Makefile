# Worldline. Every target makes and uses .venv; nothing outside this folder is touched.
#   make demo ARGS="--seconds 20 --port 0"     options for the command behind a target
#   make test REQUIRE_ALL=1                    fail where a test's program is not on this machine
#   make demo PYTHON=python3.12                another interpreter than the first that fits

.DEFAULT_GOAL := help
.SUFFIXES:
.PHONY: help demo test check bench clean

VENV := .venv
BIN := $(VENV)/bin
PYTHON :=
ARGS :=
REQUIRE_ALL :=
# What some tests run in Node: installed where there is npm, else those tests are left out, and named at the end.
NODE := tests/system/node
NODE_MODULES := $(if $(shell command -v npm),$(NODE)/node_modules/.package-lock.json)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

help: ## show this list
	@awk -F ':.* ## ' '/^[a-z]+:.* ## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  options for the command behind demo, test and bench: ARGS="…"'

demo: $(VENV)/.run-time ## start a server with sample bots and watch them play; Ctrl-C ends it
	@exec $(BIN)/worldline demo $(ARGS)

test: $(VENV)/.test $(NODE_MODULES) ## format, lint, types and every test this machine can run
	@$(BIN)/ruff format --check --quiet . || { echo 'error: files are not formatted → run .venv/bin/ruff format .' >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@REQUIRE_ALL=$(REQUIRE_ALL) $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(VENV)/.test ## format, lint, types and the order of the floors, without the other tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_layers.py

bench: $(VENV)/.run-time ## measure a server under load; figures go to bench.json
	@exec $(BIN)/worldline bench --out bench.json $(ARGS)

clean: ## remove .venv and everything else made here, but not the data of your worlds
	rm -rf $(VENV) $(NODE)/node_modules build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis bench.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment ----------------------------------------------------------------------------------

# The first interpreter that is new enough and can make environments (Debian keeps venv in a package of its own).
define MAKE_VENV
[ "$$(uname -s)" = Linux ] || { echo "error: Worldline runs on Linux, this is $$(uname -s) → use a Linux machine or container" >&2; exit 1; }; \
found=; bare=; \
for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3 python3.14; do \
  "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
  if "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then found=$$candidate; break; else bare=$$candidate; fi; \
done; \
if [ -z "$$found" ] && [ -n "$$bare" ]; then echo "error: $$bare cannot make environments → apt-get install python3-venv" >&2; exit 1; fi; \
[ -n "$$found" ] || { echo 'error: no Python 3.11 or newer found → install one, or name it: make demo PYTHON=/path/to/python3' >&2; exit 1; }; \
echo "making $(VENV) with $$("$$found" --version)"; \
"$$found" -m venv $(VENV) && touch $@
endef

$(VENV)/.made:
	@$(MAKE_VENV)

$(VENV)/.run-time: pyproject.toml $(VENV)/.made
	@echo 'installing worldline and what it needs into $(VENV)'
	@$(PIP) install --editable . || { echo 'error: pip could not install worldline (see above) → check the network, then run make again' >&2; exit 1; }
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.run-time
	@echo 'installing what the tests need into $(VENV)'
	@$(PIP) install --editable '.[test]' || { echo 'error: pip could not install the test tools (see above) → check the network, then run make again' >&2; exit 1; }
	@touch $@

$(NODE)/node_modules/.package-lock.json: $(NODE)/package-lock.json
	@echo 'installing what the tests in Node need into $(NODE)/node_modules'
	@npm ci --prefix $(NODE) --ignore-scripts --no-audit --no-fund --loglevel=error || { echo 'error: npm could not install what the tests in Node need (see above) → check the network, then run make again' >&2; exit 1; }
	@touch $@
