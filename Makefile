# The environment makes itself: Python 3.11+ and make are all that is needed.
PYTHON ?= python3
VENV ?= .venv
REAL_DATA ?= ../shared/data
NEO4J_DIR ?= .neo4j
BIN := $(VENV)/bin
# Without bytecode kept, each of the tests' many processes compiles what it imports anew.
unexport PYTHONDONTWRITEBYTECODE
READY := $(VENV)/.ready
KERNELS := $(VENV)/.kernels
ROOMS := detectors graph inconcert loaders reports review
COMPILED := $(shell grep -rl --include="*.py" "@njit" $(ROOMS))

.PHONY: demo test lint faults real bench neo4j neo4j-ready lock clean

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --editable .
	touch $(READY)

# Numba keeps what it compiled as long as a function's own file is the same, whatever is changed
# in those that it calls: so all is compiled anew when any of it changed.
$(KERNELS): $(READY) $(COMPILED)
	find $(ROOMS) -name '*.nb[ic]' -delete
	touch $(KERNELS)

demo: $(KERNELS)
	$(BIN)/inconcert demo

test: $(KERNELS)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

faults: $(KERNELS) ## the long form of the tests; writes the table of docs/reliability.md anew
	rm -f .faults.jsonl
	INCONCERT_LONG=1 INCONCERT_KILLS=200 INCONCERT_FAULTS_TABLE=$(CURDIR)/.faults.jsonl \
		$(BIN)/python -m pytest --timeout 1800 -m "faults or long or examples"
	$(BIN)/python tests/faults_table.py .faults.jsonl docs/reliability.md

real: $(KERNELS) ## four published data sets, read in place
	$(BIN)/python -m inconcert.bench.real $(REAL_DATA)

bench: $(KERNELS)
	$(BIN)/inconcert bench speed

neo4j: $(READY) ## a Neo4j server to try things on, until Ctrl-C; its data stay in NEO4J_DIR
	$(BIN)/python -m inconcert.devserver --dir $(NEO4J_DIR)

neo4j-ready: $(READY) ## fetches what such a server, and the tests, need (Java 17, Maven)
	$(BIN)/python -m inconcert.devserver --prepare-only

lock:
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist demo
