# Two commands do all the set-up, each by itself: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
# Without compiled bytecode every start is twice as slow, and uv compiles none unless told.
export UV_COMPILE_BYTECODE := 1

.PHONY: demo test check bench lock docs browser clean
.DEFAULT_GOAL := demo

demo: .venv/ready
	$(BIN)/workbench demo

# On two processors; a file's tests stay together.
test: .venv/ready browser check
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/python -m benchmarks

# The lock pins the installer too, so its own lines are all that pip has to fetch.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=/path/to/it")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	awk '/^[a-z]/ {mine = /^uv==/} mine' requirements.lock > .venv/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q workbench
	touch $@

lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements.lock pyproject.toml
	$(BIN)/python docs/environment.py

docs: .venv/ready
	$(BIN)/python docs/commands.py

# Debian calls it chromium; browser tests say so and are skipped where there is none and none can be installed.
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update && apt-get -qq install -y chromium >/dev/null; } || echo "No chromium here: the browser tests will be skipped."

clean:
	rm -rf .venv var .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
