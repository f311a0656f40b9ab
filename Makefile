# Two commands for a fresh machine with Python 3.11 or newer: `make run` and `make test`. Both set up .venv.
PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
IMAGES ?= espeak asr demo orchestrator
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := $(PIP) install --no-deps --require-hashes --no-build-isolation
PINNED := pyproject.toml $(wildcard requirements/*.lock.txt docker/requirements/*.lock.txt)
# The build of PyTorch that `make models` installs: cuda (gigabytes) or cpu.
TORCH ?= $(if $(shell command -v nvidia-smi),cuda,cpu)
# `make run-real` computes on the CPU. It keeps the build that it finds (`make models` may have installed it), else takes the
# CPU's, unless TORCH is given. The CPU's build for Linux has +cpu in its version; the other one needs cuda-bindings.
FOUND_TORCH = $(shell $(BIN)/python -c 'from importlib.metadata import version as v; print("cpu" if "+cpu" in v("torch") or not v("cuda-bindings") else "cuda")' 2>/dev/null)
REAL_TORCH = $(if $(filter file,$(origin TORCH)),$(or $(FOUND_TORCH),cpu),$(TORCH))

.DEFAULT_GOAL := help
.PHONY: help run run-real run-tiny test test-fast test-images chaos images models lint lock sbom stats bench stubs train browser clean

help: ## Show what can be made.
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20
	@echo '  ARGS="--limit 12" passes arguments on; PYTHON=python3.12 chooses the interpreter of a new .venv; WORKERS=0 runs tests in one process.'

run: $(VENV)/.embedded ## Measure the built-in items on this machine, without a GPU; the report is written to runs/.
	$(BIN)/omnigap-orchestrate run $(ARGS)

run-real: $(VENV)/.real ## The same with real weights: Whisper tiny.en, SmolLM2-135M and a Piper voice. Uses no GPU. Downloads 240 MB of weights and, unless PyTorch is installed, its CPU build.
	$(BIN)/python weights/fetch.py
	$(BIN)/omnigap-orchestrate run --config examples/real-cpu.toml $(ARGS)

run-tiny: $(VENV)/.models ## The same with five models of tiny random weights: shows that services, run and report work here. Needs no weights and no GPU; installs PyTorch.
	$(BIN)/omnigap-orchestrate run --config examples/tiny.toml $(ARGS)

test: $(VENV)/.test browser ## Run the tests.
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

test-fast: $(VENV)/.test ## Run the tests that need no container, browser, PyTorch or Triton: for the edit loop.
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --fast $(ARGS)

test-images: $(VENV)/.test $(VENV)/.models ## Run all container tests, also those that build large images. Downloads gigabytes.
	$(BIN)/python -m pytest -n 0 --images tests/compose $(ARGS)

chaos: $(VENV)/.test ## Do to runs what services, networks, kills, media and files can do to them; prints a table. Takes 50 minutes.
	$(BIN)/python -m tests.chaos $(ARGS)

# Images of a tree with changes are labelled "COMMIT-modified".
images: ## Build the images of the default services and of the orchestrator, labelled with the commit. IMAGES="hf-chat control" names others.
	OMNIGAP_COMMIT=$$(git describe --always --abbrev=40 --dirty=-modified --exclude '*' 2>/dev/null || echo unknown) docker compose build $(ARGS) $(IMAGES)

models: $(VENV)/.models ## Install PyTorch and transformers too: `make test` then tests the models that need them.

lint: $(VENV)/.test $(VENV)/.models ## Style, types, protos, Dockerfiles.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd proto && ../$(BIN)/buf lint
	PYTHON=$(CURDIR)/$(BIN)/python proto/generate.sh --check
	$(BIN)/hadolint docker/*.Dockerfile

lock: $(VENV)/.test ## Write the lock files with the hashes of all dependencies, after a change of constraints.txt or of a list of requirements.
	$(BIN)/python requirements/lock.py $(ARGS)

sbom: $(VENV)/.test $(VENV)-sbom/.ready ## Write what .venv and each image consist of to sbom/, as CycloneDX.
	mkdir -p sbom
	$(VENV)-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o sbom/environment.cdx.json $(BIN)/python
	for lock in docker/requirements/*.lock.txt; do \
	  $(VENV)-sbom/bin/cyclonedx-py requirements --no-validate --output-reproducible -o sbom/$$(basename $$lock .lock.txt).cdx.json $$lock || exit; \
	done

stats: ## Count files and lines of the product code, and check the limits.
	$(PYTHON) benchmarks/stats.py --files 470 --median 110 200 --longest 400

bench: $(VENV)/.embedded ## Measure the speed of the orchestrator against a null model, of the ASR scorer, and of the analysis.
	$(BIN)/python benchmarks/run_throughput.py --profile
	$(BIN)/python benchmarks/asr_batching.py
	$(BIN)/python benchmarks/analysis_scale.py

stubs: $(VENV)/.test ## Regenerate the Python stubs of the .proto.
	PYTHON=$(CURDIR)/$(BIN)/python proto/generate.sh

train: $(VENV)/.train ## Train the micro Whisper that the ASR service ships. Takes hours on a CPU; the same command resumes it.
	$(BIN)/python -m training.micro_whisper.train $(ARGS)

# The browser of the browser tests. If it can't be installed, they are skipped with a message.
browser:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
	  command -v $$name >/dev/null && exit 0; \
	done; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  echo 'Installing chromium for the browser tests'; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null \
	    || echo 'chromium could not be installed: the browser tests are skipped'; \
	else echo 'No chromium on the PATH: the browser tests are skipped. Install it to run them.'; fi

clean: ## Remove the environment and the files of builds and tests. Runs are kept.
	rm -rf $(VENV) $(VENV)-sbom sbom build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	-docker image ls --quiet --filter label=com.docker.compose.project=omnigap-test 2>/dev/null | sort -u | xargs -r docker rmi --force

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null \
	  || { echo '$(PYTHON) was not found: install Python 3.11 or newer, or name one: make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is $$($(PYTHON) -V): omnigap needs 3.11 or newer. Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo '$(PYTHON) cannot make virtual environments: install its venv package (Debian: apt-get install python3-venv)' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# One stamp per kind of set-up: pip runs again only if a lock file changes. Every file that is installed has a hash there; what
# builds a source archive or omnigap itself is installed first, from build.lock.txt.
$(VENV)/.%: $(PINNED) | $(VENV)/bin/python
	@echo 'Installing omnigap[$*] into $(VENV)'
	$(LOCKED) -r docker/requirements/build.lock.txt
	$(if $(filter models real train,$*),$(LOCKED) -r docker/requirements/torch-$(if $(filter real,$*),$(REAL_TORCH),$(TORCH)).lock.txt)
	$(if $(filter models real train,$*),$(LOCKED) -r docker/requirements/torch.lock.txt)
	$(LOCKED) -r requirements/$*.lock.txt
	$(if $(filter models,$*),$(LOCKED) -r requirements/peers.lock.txt)
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# cyclonedx-py in an environment of its own, so that what it lists is not changed by it.
$(VENV)-sbom/.ready: requirements/sbom.lock.txt | $(VENV)/bin/python
	$(BIN)/python -m venv $(VENV)-sbom
	$(VENV)-sbom/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r requirements/sbom.lock.txt
	@touch $@
