# make demo   the whole path on real flights, in one go
# make test   everything: the checks, then the tests
# make bench  asknown beside its peers, minutes; writes docs/benchmarks.md
#
# They make .venv first, with the versions in requirements.lock, by uv where it is installed and by pip otherwise.
# Needs Python 3.11 or newer: make PYTHON=python3.12 test

PYTHON ?= python3
WORKERS ?= 2
SOAK ?= 1
TESTS ?= tests

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

# $(call MAKE_VENV,folder) makes an empty environment, $(call PIP,folder) installs into it.
ifneq ($(UV),)
MAKE_VENV = uv venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(1)
PIP = uv pip install --quiet --python $(1)/bin/python
else
MAKE_VENV = $(PYTHON) -m venv $(1)
PIP = $(1)/bin/python -m pip install --quiet --disable-pip-version-check
endif

# Nothing that the lock file does not name: no hash, no install, and builds use the locked build tools too.
INSTALL_LOCKED = $(call PIP,$(VENV)) --no-build-isolation --require-hashes --requirement
INSTALL_ASKNOWN = $(call PIP,$(VENV)) --no-build-isolation --no-deps --editable .

.DEFAULT_GOAL := help
.PHONY: help demo test test-engines test-site test-feast test-lowest test-newest soak check docs bench bench-full wheel lock clean

help: ## say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

demo: $(VENV)/.installed ## build the example's training set, load its online table, read it
	@bash bench/demo.sh

test: check ## run the checks, then every test
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-engines: $(VENV)/.installed-test-engines ## the tests on the heavy engines: ClickHouse, Spark (Java 17 or newer)
	ASKNOWN_ENGINES=clickhouse $(BIN)/pytest tests/engines/test_clickhouse_engine.py \
		tests/engines/test_unknown_types_clickhouse.py tests/engines/test_zones.py tests/engines/test_by_hand.py \
		tests/engines/test_letters.py tests/engines/test_on_demand_on_engine.py tests/engines/test_commands.py \
		tests/engines/test_tables_in_spines.py tests/engines/test_names_of_ours.py tests/engines/test_compiled_ranges.py \
		tests/engines/test_init_on_engine.py \
		tests/engines/test_conformance.py tests/engines/test_oracle_on_engine.py tests/engines/test_expressions.py \
		tests/engines/test_every_aggregate.py tests/engines/test_exact_averages.py
	ASKNOWN_ENGINES=spark $(BIN)/pytest tests/engines/test_spark_engine.py tests/engines/test_spark_plans.py \
		tests/engines/test_spark_start.py \
		tests/engines/test_by_hand.py tests/engines/test_letters.py tests/engines/test_tables_in_spines.py \
		tests/engines/test_compiled_ranges.py tests/engines/test_commands.py tests/engines/test_conformance.py \
		tests/engines/test_oracle_on_engine.py tests/engines/test_expressions.py

test-site: $(VENV)/.installed-test ## the pages in a headless Chromium; pictures go to .tmp/site/
	ASKNOWN_BROWSER=1 $(BIN)/pytest tests/test_site.py tests/test_site_in_browser.py tests/serve/test_http_page.py

test-feast: $(VENV)/.installed-test ## an unmodified Feast client, in .venv-feast, reads from asknown serve, and writes to it
	@test -x .venv-feast/bin/feast || { $(call MAKE_VENV,.venv-feast) && $(call PIP,.venv-feast) 'feast>=0.60,<1'; }
	ASKNOWN_FEAST=$(CURDIR)/.venv-feast/bin/python $(BIN)/pytest tests/serve/test_feast_client.py tests/push/test_feast_write.py

test-lowest: test-at-lowest ## every test on the lowest versions in pyproject.toml's ranges (TESTS=tests/test_cases.py: these)

test-newest: test-at-newest ## the same on the newest that the package index has

test-at-%: $(VENV)/.made
	@echo "making .venv-$*"
	@rm -rf .venv-$*
	@$(call MAKE_VENV,.venv-$*)
	@$(BIN)/python .ci/bounds.py $* > .venv-$*/constraints.txt
	@$(call PIP,.venv-$*) --constraint .venv-$*/constraints.txt --editable '.[test]'
	@.venv-$*/bin/python .ci/bounds.py installed
	.venv-$*/bin/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

soak: $(VENV)/.installed-test ## the faults of the online table at length: kills, full disks, flipped bits (SOAK=3: thrice)
	$(BIN)/pytest tests/faults tests/push/test_served_log.py --soak $(SOAK)

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
	$(BIN)/python -m build --no-isolation

lock: $(VENV)/.made ## write requirements.lock again: the newest versions in pyproject.toml's ranges
	@test -n "$(UV)" || test -x .venv-lock/bin/uv || { $(PYTHON) -m venv .venv-lock && $(call PIP,.venv-lock) uv; }
	$(BIN)/python .ci/lock.py $(or $(UV),.venv-lock/bin/uv)

clean: ## remove all that make made, .venv included
	rm -rf $(VENV) .venv-lowest .venv-newest .venv-lock .venv-feast dist build .tmp .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f online*.db* warehouse.duckdb* train.parquet
	find compiler tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: what they stand for is done, and is done again only when pyproject.toml or the lock file has changed since.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "asknown needs Python 3.11 or newer; $(PYTHON) --version says: $$($(PYTHON) --version 2>&1 | head -n 1)"; \
		echo "name another one, as in: make PYTHON=python3.12 $(MAKECMDGOALS)"; \
		exit 1; }
	@echo "making $(VENV)"
	@$(call MAKE_VENV,$(VENV)) || { \
		rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment; on Debian or Ubuntu: apt install python3-venv"; \
		exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml requirements.lock
	@echo "installing asknown into $(VENV)"
	@sed '/^# \[test\]/,$$d' requirements.lock > $(VENV)/locked.txt
	@$(INSTALL_LOCKED) $(VENV)/locked.txt
	@$(INSTALL_ASKNOWN)
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "installing what the tests need into $(VENV)"
	@sed '/^# \[test-engines\]/,$$d' requirements.lock > $(VENV)/locked.txt
	@$(INSTALL_LOCKED) $(VENV)/locked.txt
	@touch $@

$(VENV)/.installed-test-engines: $(VENV)/.installed-test
	@command -v java >/dev/null || { echo "Spark needs Java 17 or newer; on Debian: apt install openjdk-17-jre-headless"; exit 1; }
	@echo "installing what the heavy engines need into $(VENV)"
	@$(INSTALL_LOCKED) requirements.lock
	@touch $@
