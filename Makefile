# `make demo` and `make test` each do all their set-up in a fresh clone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PYTHONWARNINGS :=
# Otherwise each of the processes that run tests would compile all of them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test test-long test-targets check docs mutants pretrain clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[cluster,graphs,litert,mnn,ncnn,openvino,optuna,dev,docs]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/latseg demo

test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder -m "not serial and not targets and not long"
	$(BIN)/python -m pytest -m "serial and not targets and not long"

# Interruptions, kills and damage at length, and searches on a cluster of three nodes.
test-long: $(STAMP)
	$(BIN)/python -m pytest -m "long and not targets"

# Everything that `latseg install` brings, and the tests that need it; those of ssh also need sshd (apt-get install openssh-server).
test-targets: $(STAMP)
	$(BIN)/latseg install --all
	$(BIN)/python -m pytest -m targets

docs: $(STAMP)
	$(BIN)/mkdocs build --strict --quiet --site-dir build/site

check: docs
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --no-cache --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# make mutants FILES=search/pareto.py scores one file.
mutants: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[cluster,graphs,litert,mnn,ncnn,openvino,optuna,dev,mutants]'
	$(BIN)/python benchmarks/mutants.py $(FILES)

# Trains the weights that ship, two to three hours on two cores; continues where it was interrupted.
pretrain: $(STAMP)
	$(BIN)/python benchmarks/pretrain.py --ship

clean:
	rm -rf $(VENV) build dist *.egg-info
