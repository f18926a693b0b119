# `make run` and `make test` need nothing but Python 3.11 to 3.13; both create the virtual environment if it is absent.

PYTHON ?= python3
VENV ?= .venv
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
WORKERS ?= $(shell if [ $(CORES) -ge 2 ]; then echo 2; else echo 1; fi)
STUDY ?= nas_head
# A trained detector of the built-in digits (python -m scripts.digits_detector), as a user would bring one: its training
# is no part of the first look. With other data, the smallest of a family. The study by itself begins with yolov5s.
MODEL ?= $(if $(findstring --data,$(ARGS)),yolov5n.yaml,examples/digits.safetensors)
# Epochs after the parent's: of the networks made by hand, and of the search.
BUDGET ?= 90epochs
ARGS ?=
# The options of ARGS count: with a number of trials, or another budget, there is no BUDGET.
LENGTH = $(if $(findstring --n-trials,$(ARGS))$(findstring --budget,$(ARGS)),,--budget $(BUDGET))

.PHONY: help run test check chaos docs install clean

help:
	@echo "make run    search the built-in study: a front of measured detectors, in 10 to 15 minutes on two cores"
	@echo "            (STUDY=channel_ratio, MODEL=yolov5s.yaml, WORKERS=1, ARGS='--n-trials 20 -o recipe.epochs=5')"
	@echo "make test   run the tests (ARGS='-k front')"
	@echo "make check  lint and types"
	@echo "make chaos  disturb a study for ten minutes: kills, restarts, a full disk; nothing may be lost (ARGS='--minutes 2')"
	@echo "make docs   build the documents as a site: build/site/index.html"
	@echo "make clean  remove the virtual environment; runs/ is yours and stays"

run: $(VENV)/.installed
	$(VENV)/bin/python -m search.run --study $(STUDY) --model $(MODEL) --workers $(WORKERS) $(LENGTH) $(ARGS)

test: $(VENV)/.installed
	PYTHON=$(VENV)/bin/python scripts/test $(ARGS)

check: $(VENV)/.installed
	PYTHON=$(VENV)/bin/python scripts/check

chaos: $(VENV)/.installed
	$(VENV)/bin/python -m benchmarks.chaos $(ARGS)

docs: $(VENV)/.installed-docs
	$(VENV)/bin/python -m scripts.doc_site
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

install: $(VENV)/.installed

# The stamp makes the second call instant; a changed pyproject.toml installs again. uv picks versions that fit each
# other, where pip may pair a torch build with a torchvision that was not built for it. Bytecode is compiled here, once:
# where Python may not write it (PYTHONDONTWRITEBYTECODE), every process would spend seconds compiling torch anew.
$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info < (3, 14); \
	    sys.exit(None if ok else f"error: {sys.executable} is Python {sys.version.split()[0]}; " \
	    "3.11, 3.12 or 3.13 is needed, for example: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet uv
	@echo "installing PyTorch, its libraries for GPUs, and others: 7 GB, several minutes"
	$(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python --editable '.[dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --editable '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV)
