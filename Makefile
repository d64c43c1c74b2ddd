.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
DB ?= sqlite
PORT ?=

.PHONY: help
help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: .venv/.$(if $(filter postgres,$(DB)),demo-postgres,demo)  ## Run the shop with every panel on [PORT=8123] [DB=postgres]
	@$(BIN)/python example_project/demo.py --db $(DB) $(if $(PORT),--port $(PORT))

.PHONY: test
test: .venv/.test  ## Run the tests: everything on SQLite, then the ORM and shop tests on PostgreSQL [ARGS=...]
	$(PYTEST) $(ARGS)
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-postgres test-mariadb

# Side by side: each waits for its own server half of the time.
.PHONY: test-postgres test-mariadb
test-postgres: .venv/.test
	PERF_PANELS_TEST_DB=postgres $(PYTEST) -m databases $(ARGS)

test-mariadb: .venv/.test
	$(if $(PERF_PANELS_TEST_MARIADB),PERF_PANELS_TEST_DB=mariadb $(PYTEST) -m databases $(ARGS),@echo "Not run on MariaDB: PERF_PANELS_TEST_MARIADB is not set (docs/contributing.md).")

.PHONY: coverage
coverage: .venv/.dev  ## Run the tests on SQLite and say which lines no test reaches
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

.PHONY: tox
tox: .venv/.tox  ## Run the tests on every Python and Django found [ARGS="-e py311-dj52"]
	PATH="$$(.ci/find-python --path):$$PATH" $(BIN)/tox run $(ARGS)

.PHONY: lint
lint: .venv/.lint biome  ## Check style, types and templates; changes nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	git ls-files --cached --others --exclude-standard -- 'src/*.html' 'example_project/*.html' \
	    | xargs -r $(BIN)/djade --target-version 5.2 --check
	$(BIN)/mypy

.PHONY: biome
biome:
	@if command -v npm >/dev/null; then \
	    test node_modules/.package-lock.json -nt package.json || npm install --no-fund --no-audit --loglevel=error || exit 1; \
	    npm run --silent lint; \
	elif [ -n "$$CI" ]; then \
	    echo "npm is missing, so JavaScript and CSS cannot be checked." >&2; exit 1; \
	else \
	    echo "Skipped the checks of JavaScript and CSS: they need npm (Node.js)."; \
	fi

.PHONY: format
format: .venv/.lint  ## Put everything into the shape that "make lint" asks for
	-$(BIN)/ruff check --fix
	$(BIN)/ruff format
	-git ls-files --cached --others --exclude-standard -- 'src/*.html' 'example_project/*.html' \
	    | xargs -r $(BIN)/djade --target-version 5.2
	@if command -v npm >/dev/null; then npm install --no-fund --no-audit --loglevel=error && npm run --silent format; fi

.PHONY: docs
docs: .venv/.docs  ## Build the documentation into docs/_build/html
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs docs/_build/html
	@echo "Built docs/_build/html/index.html"

.PHONY: screenshots
screenshots: .venv/.test  ## Take the pictures in docs/images afresh (needs Chromium) [ARGS=nplusone]
	$(BIN)/python docs/screenshots.py $(ARGS)

.PHONY: bench
bench: .venv/.bench  ## Measure what each panel costs, beside its peers
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: soak
soak: .venv/.bench  ## Profile very many requests; look for crashes and leaks [ARGS="--requests 20000"]
	$(BIN)/python -m benchmarks.soak $(ARGS)

.PHONY: clean
clean:  ## Remove everything that was made here, the demo's data included
	rm -rf .venv .tox .cache .mypy_cache .pytest_cache .ruff_cache .coverage* build dist docs/_build htmlcov node_modules bundled/node_modules src/perf_panels/static/perf_panels/speedscope
	find example_project -name '*.sqlite3*' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Speedscope, for the VMProf panel's button; without npm or its registry the button explains itself.
.PHONY: speedscope
speedscope:
	@test bundled/node_modules/.package-lock.json -nt bundled/package-lock.json || ! command -v npm >/dev/null \
	    || npm ci --prefix bundled --ignore-scripts --no-audit --no-fund --fetch-retries=1 --loglevel=error >/dev/null \
	    || echo "Speedscope was not installed: npm could not reach its registry."

.venv/.pip:
	python=$$(.ci/find-python) && "$$python" -m venv .venv
	$(PIP) --upgrade "pip>=25.1"
	@touch $@

.venv/.%: .venv/.pip pyproject.toml | speedscope
	$(PIP) --editable . --group $*
	@touch $@
