# Two commands do everything: `make run` and `make test`. Each makes its own virtual environment.

SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# What `make test` uses from Debian: the lab's kernel tools and servers, Prometheus and Alertmanager, a browser.
DEBIAN := iproute2 nftables iptables procps unbound dnsmasq-base nginx-light openssl faketime curl bind9-dnsutils prometheus prometheus-alertmanager tor-geoipdb chromium fonts-dejavu-core systemd

.PHONY: run demo test lab lab-report end-to-end golden bench bench-detect bench-fresh bench-ingest kills hostile pin clean help

help: ## what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "reachwatch needs Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq python3-venv; \
	  else echo "Python's venv is missing; on Debian: apt-get install python3-venv"; exit 1; fi; }
	@echo "installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/ready-dev: requirements-dev.txt $(VENV)/ready
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# The agent and the collector run in sessions of their own, so that Ctrl-C reaches this shell alone
# and they are stopped in order: the agent says goodbye to a collector that still listens. Consent to sending
# is given here, because the collector is your own and on this machine.
run: $(VENV)/ready ## a collector and one agent on this machine, measuring every minute
	@mkdir -p run; \
	setsid $(BIN)/reachwatch-collector serve --data-dir run/collector & collector=$$!; \
	for _ in {1..100}; do \
	  $(BIN)/python -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8460/readyz", timeout=1)' 2>/dev/null && break; \
	  kill -0 $$collector 2>/dev/null || { wait $$collector; exit; }; sleep 0.1; \
	done; \
	REACHWATCH_CONSENT=yes REACHWATCH_STATE_DIR=run/probe setsid $(BIN)/reachwatch-probe start --interval 60 --collector http://127.0.0.1:8460 & probe=$$!; \
	trap 'trap "" INT TERM; kill $$probe 2>/dev/null; wait $$probe; kill $$collector 2>/dev/null; wait $$collector; exit 0' INT TERM; \
	wait -n; kill $$probe $$collector 2>/dev/null; wait; exit 1

# The quiet hours before, in which probes earn their vote, pass as fast as the machine can.
demo: $(VENV)/ready-dev ## 17 December 2023 in Pakistan, replayed by simulated volunteers: make demo [STORY=…] [SPEED=120]
	@$(BIN)/python -m tests.nation $(or $(STORY),pakistan-2023-12-17) --speed $(or $(SPEED),120) --hurry +2h25m --stay

test: $(VENV)/ready-dev ## everything that is checked: style, types, tests, the lab
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  dpkg -s $(DEBIAN) >/dev/null 2>&1 || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEBIAN); }; \
	else echo "not root: the tests that need network namespaces are left out and counted below; to run them: sudo make test"; fi
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

lab: $(VENV)/ready-dev ## a shell in a censored home: make lab SCENARIO=sni_reset [PLATFORMS=x,youtube] [ISPS=a]
	@$(BIN)/python -m tests.lab $(SCENARIO) $(PLATFORMS:%=--platforms %) $(ISPS:%=--isps %)

# The runs stay in run/lab: after a change of the rules alone the second command is enough.
lab-report: $(VENV)/ready-dev ## every scenario five times with the real agent, into docs/lab-report.md; as root, half an hour
	@rm -rf run/lab
	$(BIN)/python -m tests.lab.campaign run/lab
	$(BIN)/python -m tests.lab.report run/lab

end-to-end: $(VENV)/ready-dev ## from a censor's switch to a webhook, into docs/end-to-end.md; as root, half an hour
	@$(BIN)/python -m tests.lab.end_to_end

golden: $(VENV)/ready-dev ## renew tests/golden and docs/ooni-qa.md with the real agent; as root, five minutes
	$(BIN)/python -m tests.lab.golden

# Beside what `make test` uses of Debian's, it needs prometheus-blackbox-exporter.
bench: $(VENV)/ready-dev ## what a round costs beside blackbox_exporter, into docs/costs.md; as root, a quarter of an hour
	@$(BIN)/python -m benchmarks.cost

bench-detect: $(VENV)/ready-dev ## detection on simulated years and events beside OONI's, into docs/detection.md; minutes
	@$(BIN)/python -m benchmarks.detection

bench-fresh: $(VENV)/ready-dev ## from a batch to page, API and metrics with 100 000 probes and with 50 000, into docs/freshness.md; half an hour
	@$(BIN)/python -m benchmarks.freshness

bench-ingest: $(VENV)/ready-dev ## signed rounds a second on one core, beside a Pushgateway, into docs/ingest.md; five minutes
	@$(BIN)/python -m benchmarks.ingest

kills: $(VENV)/ready-dev ## agent and collector killed two hundred times each while they work, into docs/kills.md; half an hour
	@$(BIN)/python -m tests.kills

hostile: $(VENV)/ready-dev ## every attack at once beside honest homes, into docs/hostile-hour.md; six minutes
	@$(BIN)/python -m tests.hostile

pin: ## renew the pinned requirements
	$(BIN)/pip-compile $(PIN) $(BUILD) --extra collector -o requirements.txt pyproject.toml
	$(BIN)/pip-compile $(PIN) -c requirements.txt -o requirements-probe.txt pyproject.toml
	$(BIN)/pip-compile $(PIN) $(BUILD) --extra collector --extra dev -c requirements.txt -o requirements-dev.txt
PIN := --quiet --strip-extras --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --no-header
BUILD := --build-deps-for editable

clean: ## remove what the other commands made
	rm -rf $(VENV) run dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
