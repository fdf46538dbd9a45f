# `make help` lists what there is. Every target installs what it needs (scripts/setup.sh) and does so once.

SHELL := /bin/bash
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hadal
# Outside the checkout, so that several checkouts share one build.
export CARGO_TARGET_DIR ?= $(CACHE)/target
export HADAL_VENV ?= $(CACHE)/venv
export HADAL_BIN ?= $(CARGO_TARGET_DIR)/fast/hadal
PYTHON := $(HADAL_VENV)/bin/python
# Where Debian keeps the server; an ordinary user's PATH has no sbin.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin
ARGS ?=
# How long each fuzz target runs, in seconds.
FUZZ_SECONDS ?= 20
# The same inputs every time, so that a change is judged by what it does; `FUZZ_SEED=` searches anew.
FUZZ_SEED ?= 1

# How often `make chaos` repeats what it measures.
CHAOS_RUNS ?= 20

# Stages with real servers would only hold each other up.
.NOTPARALLEL:
.PHONY: help playground build test test-rust test-e2e test-chaos chaos bench bench-instructions offload suites lint fuzz docs setup clean

help: ## list the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

playground: ## a primary, two replicas and hadal in front of them (ARGS='--replicas 1')
	@scripts/setup.sh server
	cargo build --profile fast --bin hadal
	@exec $(HADAL_BIN) playground $(ARGS)

build: ## the binary that the playground, the end-to-end tests and the benchmarks run
	@scripts/setup.sh build
	cargo build --profile fast --bin hadal

test: ## all tests: Rust, fuzz targets for a short time, end-to-end with real servers and drivers, faults
	@scripts/stages.sh test test-rust fuzz test-e2e test-chaos

test-rust: ## unit, property and integration tests of the crates
	@scripts/setup.sh server plugins mysql coordination
	@# A MariaDB server that starts deletes the temporary tables that it finds in its tmpdir, also those of others. So the
	@# tests get a folder of their own, and one binary runs after the other.
	@export TMPDIR=$$(mktemp -d) && trap 'rm -rf "$$TMPDIR"' EXIT && \
	  cargo test --workspace --no-fail-fast

test-e2e: build ## real servers, real drivers, faults (ARGS='-k django')
	@scripts/setup.sh server plugins mysql python node
	$(PYTHON) -m pytest tests/e2e $(ARGS)

test-chaos: build ## the faults that every change must survive, on servers in networks of their own
	@scripts/setup.sh server coordination python faults
	$(PYTHON) -m pytest tests/chaos -m short $(ARGS)

chaos: build ## every fault, what is measured CHAOS_RUNS times, with a report (as root; ARGS='-k kill_primary')
	@scripts/setup.sh server coordination python faults
	$(PYTHON) -m pytest tests/chaos --runs $(CHAOS_RUNS) --report $(CACHE)/chaos $(ARGS)
	@echo "report: $(CACHE)/chaos/report.md, report.json"

bench: ## queries per second, latency and CPU per query: direct, HAProxy, hadal
	@scripts/setup.sh server bench
	cargo build --release --bin hadal
	python3 benches/bench.py --hadal $(CARGO_TARGET_DIR)/release/hadal $(ARGS)

offload: build ## how many reads of a Flask-SQLAlchemy shop replicas serve, per transaction mode
	@scripts/setup.sh server python
	$(PYTHON) benches/offload.py --hadal $(HADAL_BIN) $(ARGS)

bench-instructions: ## instructions and allocations per statement, against those kept (ARGS='--update')
	@scripts/setup.sh server bench
	cargo build --release --bin hadal
	cargo build --release -p gateway --example operations
	python3 benches/instructions.py --hadal $(CARGO_TARGET_DIR)/release/hadal \
	  --operations $(CARGO_TARGET_DIR)/release/examples/operations $(ARGS)

suites: build ## the public test suites of drivers and ORMs, directly and through hadal
	@scripts/setup.sh server python node
	$(PYTHON) tests/suites/run.py $(ARGS)

lint: ## format and lints, warnings are errors
	@scripts/setup.sh build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	for script in scripts/*.sh .ci/run; do bash -n "$$script" || exit 1; done

fuzz: ## every fuzz target for FUZZ_SECONDS, from FUZZ_SEED
	@scripts/setup.sh build
	cargo run --profile fast -p fuzz -- --seconds $(FUZZ_SECONDS) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

docs: ## the crates' documentation, warnings are errors
	@scripts/setup.sh build
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

setup: ## install everything that any target needs
	@scripts/setup.sh server plugins mysql coordination python node faults bench

clean: ## remove the build folder, the Python environment and the Node packages
	rm -rf $(CACHE)
