# Every target is one line that calls the tool; `.venv` is made on first use.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: course test lab book bench clean

course: .venv/ready  ## run every lesson and build the book
	$(BIN)/babyagi course

test: .venv/ready  ## everything CI runs
	$(BIN)/python -m pytest

lab: .venv/ready  ## JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks

book: .venv/ready  ## only the book, from the last run
	$(BIN)/babyagi book

bench: .venv/ready  ## measure against what people would use instead (an hour, nothing else running)
	$(BIN)/python benchmarks/ner_finetuning.py
	$(BIN)/python benchmarks/adapter_sizes.py

clean:  ## forget what was built; the environment and the notebooks stay
	rm -rf build book/_vendor .pytest_cache .ruff_cache .hypothesis

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@
