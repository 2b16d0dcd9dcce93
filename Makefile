# Every target makes what it needs: with Python 3.11 or later and nothing else, `make demo` works.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FLOORS := .venv-floors
PIP    := -m pip --disable-pip-version-check -qq

# How many processes share the tests; 0 runs them in one.
WORKERS ?= auto

# The pure part: values in, values out. Its tests take every branch.
CORE := alignment balance billing_cycles catalog contract_terms coupons credit_notes customers decisions discounts \
        disputes dunning entitlements errors events frozen grants idempotency ids inbox invoice_numbering invoices lifecycle \
        migrations money number_series payment_methods payment_references payments pending_items pricing pro_forma proration records refunds review statements tax_ids tax_quotes taxes usage

empty :=
space := $(empty) $(empty)
comma := ,
CORE_FILES := $(subst $(space),$(comma),$(strip $(foreach m,$(CORE),src/subscriptions/$(m).py src/subscriptions/$(m)/*)))

export NO_MKDOCS_2_WARNING := 1
export DISABLE_MKDOCS_2_WARNING := true

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs test-floors clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Walk a few customers through a year of billing, in the terminal
	@$(BIN)/subscriptions demo

test: $(VENV)/.dev ## Run all tests; the pure core with every branch
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=
	$(BIN)/coverage report --include='$(CORE_FILES)' --fail-under=100

check: $(VENV)/.dev ## Check format, style, types and imports; build the documents and run them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	@# The methods of Billing are inferred from the use cases, which pyright calls ambiguous; what a
	@# host meets must only never be of unknown type.
	@PATH="$(CURDIR)/$(BIN):$$PATH" pyright --ignoreexternal --verifytypes subscriptions \
	  > $(VENV)/types.txt || true
	@grep -A 3 '^Symbols exported' $(VENV)/types.txt
	@grep -A 3 '^Symbols exported' $(VENV)/types.txt | grep -q 'With unknown type: 0'
	$(BIN)/lint-imports --no-logo
	$(BIN)/mkdocs build --quiet --strict
	$(BIN)/python -m pytest README.md docs src

bench: $(VENV)/.dev ## Measure what the library promises about speed
	@$(BIN)/python -m bench

docs: $(VENV)/.dev ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

test-floors: $(FLOORS)/.floors ## Run the tests on the lowest versions of all dependencies
	$(FLOORS)/bin/python -m pytest -n $(WORKERS)

clean: ## Remove everything that was made
	rm -rf $(VENV) $(FLOORS) build dist site .coverage .coverage.* .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made again from a changed pyproject.toml; the pip of an old Python does not
# know dependency groups, so it is renewed first.

$(VENV)/.demo: pyproject.toml
	@echo 'Preparing $(VENV) ...'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(PIP) install --upgrade 'pip>=25.1'
	@$(BIN)/python $(PIP) install --editable '.[cli]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo 'Adding the tools of development ...'
	@$(BIN)/python $(PIP) install --editable '.[cli,sql,tax-ids]' --group dev
	@touch $@

$(FLOORS)/.floors: $(VENV)/.dev tools/floors.py
	@echo 'Preparing $(FLOORS) ...'
	@$(PYTHON) -m venv --clear $(FLOORS)
	@$(BIN)/python tools/floors.py > $(FLOORS)/constraints.txt
	@$(FLOORS)/bin/python $(PIP) install --upgrade 'pip>=25.1'
	@$(FLOORS)/bin/python $(PIP) install --constraint $(FLOORS)/constraints.txt --editable '.[cli,sql,tax-ids]' --group test
	@touch $@
