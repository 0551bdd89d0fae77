# `make run` opens the page, `make test` runs the tests; both make .venv and install into it first.
# Written for POSIX sh and GNU Make 3.81, the one macOS carries.

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP_INSTALL := $(PYTHON) -m pip install --disable-pip-version-check
LOCK := uv pip compile --quiet --universal --python-version 3.10 --upgrade --no-annotate \
	--custom-compile-command "make lock"
LOCK_ZERO_GPU := uv pip compile --quiet --python-version 3.12.12 --python-platform linux --upgrade --no-annotate \
	--custom-compile-command "make lock" --extra zero-gpu

# An environment whose making was interrupted is made again.
.DELETE_ON_ERROR:
.PHONY: help run test test-slow fuzz soak check space weights stacked-table flow-example flow-table lock audit

help:
	@echo "make run        start the page on the bundled models (options: make run ARGS='--port 7861')"
	@echo "make test       every test but the slow ones"
	@echo "make test-slow  the slow tests"
	@echo "make fuzz       what anybody could write, mutated (longer: make fuzz ROUNDS=20000 SEED=3)"
	@echo "make soak       visitors, kills and a full disk for MINUTES=20 (also: SEED=3)"
	@echo "make check      formatting and lint"
	@echo "make space      this studio as a Space on the Hub: make space REPO=owner/name ARGS='--zero-gpu'"
	@echo "make weights    train every bundled model again, from nothing (hours; resumable)"
	@echo "make stacked-table  is a second U-Net worth it? (hours; resumable)"
	@echo "make flow-example  calculate what the Flow lab opens with"
	@echo "make flow-table  the Rectified Flow paper's table at pocket scale (six hours; resumable)"
	@echo "make lock       choose the versions in requirements*.txt anew, from pyproject.toml (needs uv)"
	@echo "make audit      look the locked versions up among known holes (needs uv and a network)"

run: $(VENV)/installed
	$(PYTHON) app.py $(ARGS)

test: $(VENV)/installed-tests
	$(PYTHON) -m tests.browser
	$(PYTHON) -m pytest -m "not slow" --numprocesses auto --dist worksteal

test-slow: $(VENV)/installed-tests
	$(PYTHON) -m tests.browser
	$(PYTHON) -m pytest -m slow

ROUNDS := 300
SEED := 1
fuzz: $(VENV)/installed-tests
	$(PYTHON) -m pytest tests/fuzz --timeout 0 --rounds $(ROUNDS) --seed $(SEED)

MINUTES := 20
soak: $(VENV)/installed-tests
	$(PYTHON) -m tests.browser
	$(PYTHON) -m benchmarks.soak --minutes $(MINUTES) --seed $(SEED)

check: $(VENV)/installed-tests
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

space: $(VENV)/installed
	$(PYTHON) -m rf_app space $(REPO) $(ARGS)

weights: $(VENV)/installed
	$(PYTHON) -m trainers.pocket.weights $(ARGS)

stacked-table: $(VENV)/installed
	$(PYTHON) -m benchmarks.stacked $(ARGS)

flow-example: $(VENV)/installed
	$(PYTHON) -m rf_app flow-lab --json | $(PYTHON) -c "import json, sys; print(json.dumps(json.load(sys.stdin)))" \
		> rf_app/ui/flow_lab/example.json

flow-table: $(VENV)/installed
	$(PYTHON) -m benchmarks.flow_table $(ARGS)

UV := @command -v uv >/dev/null || { echo "This needs uv: pip install uv" >&2; exit 1; }

# The CUDA packages stay out of the lock: torch itself names their exact versions, where it needs them. With
# hashes pip takes nothing that is not listed, so there they are.
lock:
	$(UV)
	$(LOCK) pyproject.toml --output-file requirements.txt
	grep -vE '^(nvidia|cuda|triton)' requirements.txt > requirements.txt.new
	mv requirements.txt.new requirements.txt
	grep -vE '^(torch|torchvision|setuptools)==' requirements.txt > requirements.txt.new
	$(LOCK_ZERO_GPU) --constraints requirements.txt.new pyproject.toml | grep -vE '^(nvidia|cuda|triton)' \
		> requirements-zero-gpu.txt
	rm requirements.txt.new
	$(LOCK) --constraints requirements.txt --generate-hashes pyproject.toml --output-file requirements-hashed.txt
	$(LOCK) --group test --constraints requirements.txt --output-file requirements-dev.txt

# Strict, as pip-audit takes what it cannot look up for sound.
audit:
	$(UV)
	uvx pip-audit --strict --disable-pip --require-hashes --requirement requirements-hashed.txt

$(VENV)/installed: requirements.txt | $(PYTHON)
	@echo "Installing into $(VENV), once: about 7 GB on Linux, where torch brings CUDA along."
	$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(VENV)/installed-tests: requirements-dev.txt $(VENV)/installed
	$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

$(PYTHON):
	@if [ "$$(uname -sm)" = "Darwin x86_64" ]; then \
		echo "PyTorch no longer supports Intel Macs (nor a Python running under Rosetta)." >&2; exit 1; fi; \
	for python in python3 python3.13 python3.12 python3.11 python3.10; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && break; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Python 3.10 or newer is needed; 'python3' here is: $$(python3 --version 2>&1)" >&2; \
		echo "Debian, Ubuntu: sudo apt-get install python3 python3-venv    macOS: brew install python" >&2; \
		exit 1; fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$python cannot make virtual environments. Debian, Ubuntu: sudo apt-get install $$python-venv" >&2; \
		exit 1; fi; \
	"$$python" -m venv $(VENV)
