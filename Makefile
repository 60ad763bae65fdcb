# The commands a person needs. Each works on a fresh clone: what is missing is set up first.
# Another Python: make serve PYTHON=python3.13      Another port: make serve PORT=8001
# Some pairs of Django and Python alone: make matrix PAIRS="6.1-3.13 5.2-3.12"

PORT ?= 8000
BIN := .venv/bin
READY := .venv/ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input

export NO_MKDOCS_2_WARNING := 1

.PHONY: help serve test matrix benchmark clean

help:
	@echo "make serve      run the playbooks and read the site on http://127.0.0.1:$(PORT)/"
	@echo "make test       check everything: style, types, playbooks, pages, the site in a browser"
	@echo "make matrix     run every playbook on each Django and Python that is here, and record it"
	@echo "make benchmark  time the playbooks against nbmake and mkdocs-jupyter, and write the table in README"
	@echo "make clean      remove what these commands made, the virtual environment too"
	@echo "make help       show this"

# The trap makes Ctrl-C an ordinary end, not an error.
serve: $(READY)
	@trap 'echo; echo "Stopped."; exit 0' INT; \
	$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT)))' 2>/dev/null || \
	  { echo "Port $(PORT) is taken. Next: make serve PORT=8001" >&2; exit 1; }; \
	$(BIN)/playbooks run && \
	echo "The site: http://127.0.0.1:$(PORT)/  (Ctrl-C stops it)" && \
	$(BIN)/mkdocs serve --quiet --no-strict --dev-addr 127.0.0.1:$(PORT)

test: $(READY)
	@$(BIN)/ruff check --quiet --output-format concise
	@$(BIN)/ruff format --quiet --check || { echo "Next: $(BIN)/ruff format"; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/pytest --quiet

matrix: $(READY)
	@$(BIN)/python tests/matrix.py $(PAIRS) && $(BIN)/playbooks run

benchmark: $(READY)
	@$(BIN)/python tests/benchmark.py

clean:
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache site playbooks/*.egg-info

# python3 comes first: the versions recorded on the pages are its own. Each name is tried by running
# it, because a name on PATH may be a stub of a version manager.
$(READY): requirements.lock pyproject.toml
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    found=$$python; break; \
	  fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11 or newer found. Install one, or name it: make serve PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  echo "Setting up .venv with $$("$$found" --version) (once, a minute or so)"; \
	  "$$found" -m venv --clear .venv; \
	} && \
	$(PIP) install --require-hashes --requirement requirements.lock >.venv/pip.log 2>&1 && \
	$(PIP) install --no-deps --editable . >>.venv/pip.log 2>&1 && \
	touch $@ || { cat .venv/pip.log 2>/dev/null; echo "Setting up .venv failed: see above." >&2; exit 1; }
