# make demo   the whole path on real flights, in one go
# make test   everything: the checks, then the tests
# make bench  asknown beside its peers, minutes; writes docs/benchmarks.md
#
# They make .venv first, with uv where it is installed. Needs Python 3.11 or newer: make PYTHON=python3.12 test

PYTHON ?= python3
WORKERS ?= 2
SOAK ?= 1

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

ifneq ($(UV),)
MAKE_VENV = uv venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
INSTALL = uv pip install --quiet --python $(BIN)/python
else
MAKE_VENV = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-engines soak check docs bench bench-full wheel clean

help: ## say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

demo: $(VENV)/.installed ## build the example's training set, load its online table, read it
	@bash bench/demo.sh

test: check ## run the checks, then every test
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

test-engines: $(VENV)/.installed-test-engines ## the tests on the heavy engines: ClickHouse, Spark (Java 17 or newer)
	ASKNOWN_ENGINES=clickhouse $(BIN)/pytest tests/engines/test_clickhouse_engine.py tests/engines/test_conformance.py \
		tests/engines/test_oracle_on_engine.py tests/engines/test_expressions.py
	ASKNOWN_ENGINES=spark $(BIN)/pytest tests/engines/test_spark_engine.py tests/engines/test_spark_plans.py \
		tests/engines/test_conformance.py tests/engines/test_oracle_on_engine.py tests/engines/test_expressions.py

soak: $(VENV)/.installed-test ## the faults of the online table at length: kills, full disks, flipped bits (SOAK=3: thrice)
	$(BIN)/pytest tests/faults --soak $(SOAK)

check: $(VENV)/.installed-test ## ruff, mypy --strict, the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests/test_layers.py

docs: $(VENV)/.installed ## write the generated parts of docs/ again
	$(BIN)/python docs/generate.py

bench: $(VENV)/.installed ## measure asknown beside its peers, small tables, and write docs/benchmarks.md
	$(BIN)/python bench/run.py --size S --results bench/.cache/results-S.jsonl --timeout 120 --page

bench-full: $(VENV)/.installed ## the same on 10 and 50 million rows: hours; goes on where it was cut short
	$(BIN)/python bench/grid.py
	$(BIN)/python bench/run.py --size M,L --others --results bench/.cache/results-full.jsonl --resume --timeout 900 --page

wheel: $(VENV)/.installed-test ## build dist/*.whl and dist/*.tar.gz
	rm -rf dist
	$(BIN)/python -m build

clean: ## remove all that make made, .venv included
	rm -rf $(VENV) dist build .tmp .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f online.db* warehouse.duckdb* train.parquet
	find compiler tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: what they stand for is done, and is done again only when pyproject.toml has changed since.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "asknown needs Python 3.11 or newer; $(PYTHON) --version says: $$($(PYTHON) --version 2>&1 | head -n 1)"; \
		echo "name another one, as in: make PYTHON=python3.12 $(MAKECMDGOALS)"; \
		exit 1; }
	@echo "making $(VENV)"
	@$(MAKE_VENV) || { \
		rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment; on Debian or Ubuntu: apt install python3-venv"; \
		exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml
	@echo "installing asknown into $(VENV)"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-test-engines: $(VENV)/.installed-test pyproject.toml
	@command -v java >/dev/null || { echo "Spark needs Java 17 or newer; on Debian: apt install openjdk-17-jre-headless"; exit 1; }
	@echo "installing what the heavy engines need into $(VENV)"
	@$(INSTALL) --editable '.[test-engines]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed pyproject.toml
	@echo "installing what the tests need into $(VENV)"
	@$(INSTALL) --editable '.[test]'
	@touch $@
