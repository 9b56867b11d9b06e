# Every command a person or CI runs. `make` alone prints them; each installs what it needs first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
WORKERS ?= 2
SEEDS ?= 1000
STEPS ?= 1000
FACE ?= storefront

.PHONY: help venv venv-local venv-faces dev demo web web-dev web-test pictures test test-fast test-deploy coverage coverage-pure mutants package secrets deploy restore replay republish generate check scan fuzz hooks format \
	doctor seal audit erasure-scan sandbox sim sim-pairs sim-mutants bench-bills bench-capacity bench-coldstart bench-contention bench-http bench-load bench-publish bench-scale bench-standins \
	bench-webhook clean

help: ## print this
	@echo "Biandan: headless commerce for a marketplace with many merchants."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "Needs Python 3.11 or newer and the package index (or its cache); no AWS account, no Docker."

venv: ## make .venv and install what all commands need (each does this by itself)
	@tools/dev/venv.sh $(VENV) dev

venv-local:
	@tools/dev/venv.sh $(VENV) local

venv-faces:
	@tools/dev/venv.sh $(VENV) faces

dev: venv-local ## start everything on this machine: engine, tables, queues, seed, API, shop, console, pumps, sandbox, carrier
	@exec $(RUN) tools.dev --web $(ARGS)

demo: venv-local ## play the main job over HTTP against the running server, step by step
	@exec $(RUN) tools.dev.demo $(ARGS)

web: venv-local ## build shop and console (web/*; what has not changed is left; needs Node 20.19)
	@$(RUN) tools.web.build $(ARGS)

web-dev: venv-local ## a face that reloads on change, before a running `make dev` (FACE=storefront or console)
	@exec $(RUN) tools.web.build --dev $(FACE)

web-test: venv-faces ## what faces are held to: their own checks and tests, then all of it in a real browser
	@$(RUN) tools.web.build --run check --run test
	@$(RUN) tools.web.build
	@$(BIN)/pytest -n 0 tests/faces $(ARGS)

pictures: venv-faces ## take the pictures of shop and console anew (docs/pictures; needs a Chromium)
	@$(RUN) tools.web.build
	@$(BIN)/pytest -n 0 tests/faces --pictures $(ARGS)

test: venv ## run every test (WORKERS=2 processes; ARGS="-k name" for some)
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ARGS)

test-fast: venv ## rules and parts alone, in seconds: no engine, no process, no server (see CONTRIBUTING.md)
	@$(BIN)/pytest -n $(WORKERS) tests/unit --no-engine -m "not process" $(ARGS)

coverage: venv ## lines and branches that the tests reach: everything, and the pure rules (floors in pyproject.toml; minutes)
	@mkdir -p .build/coverage && rm -f .build/coverage/*
	@$(BIN)/coverage run -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)
	@$(RUN) tools.checks.coverage whole pure

coverage-pure: venv ## the same by the tests of `make test-fast` alone, for the pure rules
	@mkdir -p .build/coverage && rm -f .build/coverage/*
	@$(BIN)/coverage run -m pytest -n $(WORKERS) tests/unit --no-engine -m "not process" $(ARGS)
	@$(RUN) tools.checks.coverage fast

mutants: venv ## change the pure rules one small step at a time: which change does no test of test-fast notice? (minutes)
	@$(RUN) tools.checks.mutants $(ARGS)

test-deploy: venv ## only the test that packages, deploys and plays the main job through the deployed stack
	@$(BIN)/pytest -m deploy $(ARGS)

package: venv ## write the finished zip and template of a stage to .build/ (STAGE=dev or prod)
	@$(RUN) tools.release.package $(ARGS)

secrets: venv ## create what is missing of a stage's secrets on AWS (STAGE=dev or prod; see docs/deploy.md)
	@$(RUN) tools.release.keys $(ARGS)

deploy: venv ## package a stage and bring its stack up on AWS (STAGE=dev or prod; see docs/deploy.md)
	@$(RUN) tools.release.deploy $(ARGS)

restore: venv ## bring a shop back as it was at one moment, beside the one that stands (ARGS="--list"; see docs/restore.md)
	@$(RUN) tools.operate.restore $(ARGS)

replay: venv ## send again the changes that a stage's relay had to give up (STAGE=dev or prod; ARGS=--list only looks)
	@$(RUN) tools.operate.replay $(ARGS)

generate: venv ## write routes, OpenAPI, docs tables, the stack and its policies from the code
	@$(RUN) tools.generate $(ARGS)
	@$(RUN) infra.stack
	@$(RUN) tools.web.types

check: venv ## ruff, mypy (strict), markers, long lines, commit messages, drift, breaks since the last release
	@$(RUN) tools.checks.markers
	@$(RUN) tools.checks.personal
	@$(RUN) tools.checks.wrapped
	@$(RUN) tools.checks.commits
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(RUN) tools.generate --check
	@$(RUN) infra.stack --check
	@$(RUN) tools.web.types --check
	@$(RUN) tools.checks.compat

hooks: venv ## let git run these checks at each commit, and look at its message (pre-commit, from the package index)
	@$(BIN)/pip install -qq --disable-pip-version-check --no-input --requirement requirements-hooks.txt
	@$(BIN)/pre-commit install

scan: venv ## look for secrets in what is committed
	@$(RUN) tools.checks.secrets

fuzz: venv ## a dev server of its own, and schemathesis over every operation of it (a fixed budget; minutes)
	@$(RUN) tools.checks.fuzz $(ARGS)

format: venv ## let ruff format and mend what it safely can
	@$(BIN)/ruff check --fix --quiet || true
	@$(BIN)/ruff format

republish: venv ## publish what buyers browse anew from the tables, going on where it was left (ARGS="--back all:41" goes back)
	@$(RUN) tools.operate.republish $(ARGS)

bench-publish: venv ## how late a change is published, and what a burst of changes writes (ARGS="--changes 1000 --burst 10000")
	@$(RUN) tools.bench.publish $(ARGS)

seal: venv ## data keys of personal data in rows: how many rows each seals; ARGS=--rotate, then ARGS=--reseal (docs/privacy.md)
	@$(RUN) tools.operate.seal $(ARGS)

erasure-scan: venv ## is anything left of an erased person? (ARGS="--collect acc_..." before, ARGS=values.json afterwards; docs/privacy.md)
	@$(RUN) tools.operate.erasure_scan $(ARGS)

audit: venv ## is the audit what it was? names every line that was changed, deleted or put in (ARGS="--head ..."; docs/audit.md)
	@$(RUN) tools.operate.audit $(ARGS)

doctor: venv-local ## say what is wrong in the payment providers' set-up (ARGS="wechatpay" for one), or of a deployed stage (STAGE=dev)
	@$(RUN) $(if $(STAGE),tools.operate.stage_doctor,tools.operate.doctor) $(ARGS)

sandbox: venv-local ## run the payment providers' stand-ins alone (make dev has them too)
	@exec $(RUN) tools.fakes.sandbox $(ARGS)

sim: venv ## play SEEDS=1000 seeds of the simulator (STEPS=1000 each); ARGS="--seed X --story" replays one
	@$(RUN) tools.sim --seeds $(SEEDS) --steps $(STEPS) $(ARGS)

sim-pairs: venv ## walk every interleaving of the deadly pairs, with a crash after each call
	@$(RUN) tools.sim.exhaustive $(ARGS)

sim-mutants: venv ## put known bugs in, one at a time, and show that the simulator finds each (ARGS=--renew: look for the seeds that do it soonest)
	@$(RUN) tools.sim.hunting $(ARGS)

bench-bills: venv ## seconds and memory of reading a bill of 200,000 lines of each provider
	@$(RUN) tools.bench.bills $(ARGS)

bench-capacity: venv ## DynamoDB calls and units of each use case and of the whole life of an order
	@$(RUN) tools.bench.capacity $(ARGS)

bench-coldstart: venv ## import time and memory of each function from the packaged zip
	@$(RUN) tools.bench.coldstart $(ARGS)

bench-contention: venv ## 200 buyers race for 50 units
	@$(RUN) tools.bench.contention $(ARGS)

bench-standins: venv ## CPU of a click at the cashier and memory at 1,000, 5,000 and 10,000 orders (ARGS=--whole: a whole dev server)
	@$(RUN) tools.bench.standins $(ARGS)

bench-http: venv ## orders and reads a second over HTTP, latencies, CPU per order and per read
	@$(RUN) tools.bench.http $(ARGS)

bench-load: venv ## the whole story under load: throughput, p99, memory, and whether the shop is whole after it (ARGS="--minutes 10")
	@$(RUN) tools.bench.load $(ARGS)

bench-scale: venv ## calls and units of every use case at 1,000, 100,000 and 1,000,000 products and orders
	@$(RUN) tools.bench.scale $(ARGS)

bench-webhook: venv-local ## how long a provider's notice takes to be verified and durable, and its CPU
	@$(RUN) tools.bench.webhook $(ARGS)

clean: ## remove what was made here: .venv, .build, .biandan (the dev server's data) and caches
	@rm -rf $(VENV) .build .biandan .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
