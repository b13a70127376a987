# Everything a developer or a newcomer does, one target each. `make demo` and `make test` install what they
# need (apt packages and virtual environments) and say so; `make setup` is that part alone.

SHELL := /bin/sh
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/realip-toa
VENVS := $(CACHE)/venvs
DEV := $(VENVS)/dev/bin
# The sessions of noxfile.py; they need not look again whether everything is installed.
NOX = @REALIP_READY=1 "$(DEV)/nox" -f "$(CURDIR)/noxfile.py" -s
export REALIP_VENVS := $(VENVS)
# The checkout itself is the collection; a copy installed elsewhere must not win.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/collections
export ANSIBLE_HOME := $(CACHE)/ansible

.PHONY: help setup setup-quick setup-python setup-lab demo test test-all quick lint unit integration hostile-user fuzz sanity importer release-check lab lab-machines lab-source molecule faults adversary adversary-lab bench jobs quick-start ebpf docs clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: ## virtual environments for every ansible-core that a Python here can run
	@tests/setup.sh

setup-quick: ## the environment of development alone
	@tests/setup.sh quick

setup-python: ## every virtual environment, and no Debian package
	@tests/setup.sh python

setup-lab: setup ## what the lab needs of Debian (qemu, mmdebstrap, a compiler)
	@tests/setup.sh lab

demo: setup-lab ## the main job: lab machines from stock to translating, and proof after one more reboot
	@PATH="$(DEV):$$PATH" lab/demo

test: setup-lab ## every layer: this machine, the newest ansible-core, real machines that boot
	@"$(DEV)/python" tests/all.py

test-all: test ## that, then the rest: every Python and ansible-core, every kind of machine
	@"$(DEV)/python" tests/all.py rest

quick: setup-quick ## what to run first: style, types, imports, unit tests on one Python; needs nothing but Python
	$(NOX) quick

lint: setup-python ## ruff, mypy, yamllint, ansible-lint, shellcheck, licences, changelog
	$(NOX) lint

unit: setup-python ## pure logic, on every Python found
	$(NOX) unit

integration: setup-lab ## this machine: sshd on loopback, namespaces, real tools
	$(NOX) integration

hostile-user: setup-lab ## hostile files of a local user in every path that root reads or writes
	$(NOX) hostile_user

fuzz: export REALIP_FUZZ_SECONDS ?= 600
fuzz: setup ## the parsers of what hosts say, ten minutes long; make test does one
	$(NOX) fuzz

sanity: setup ## ansible-test sanity of the built collection, on every ansible-core
	$(NOX) sanity

release-check: setup ## rehearse a release: tools by digest, bill of materials, signature; what was changed in between is refused
	$(NOX) release_check

importer: setup ## galaxy-importer, as Galaxy and Automation Hub run it on an upload
	$(NOX) importer

lab: setup-lab ## real machines: rollout, second run, reboot, removal, bad input
	$(NOX) lab

lab-machines: setup-lab ## hosts as their vendors ship them; make lab-machine-NAME for one of them
	$(NOX) lab_machines

lab-machine-%: setup-lab
	$(NOX) "lab_machines($*)"

lab-source: setup-lab ## from source at full length: DKMS through kernel updates, a real Linux as rpm, as deb and compiled on a machine
	$(NOX) lab_source

molecule: setup-lab ## molecule scenarios with testinfra; make molecule-NAME for one of them
	$(NOX) molecule

molecule-%: setup-lab
	$(NOX) "molecule($*)"

faults: setup-lab ## break machines in every way of docs/faults.md, and see that none is lost
	$(NOX) faults

adversary: setup-lab ## forged handshakes by the thousand against the eBPF programs and the option filter
	$(NOX) adversary

adversary-lab: setup-lab ## the same against vtoa and a vendor's kernel, on lab machines
	$(NOX) adversary_lab

bench: setup-lab ## what the collection costs: measures, and makes docs/benchmarks.md anew
	$(NOX) bench

jobs: setup-lab ## the jobs and the workflow of AWX, under ansible-runner, on lab machines
	$(NOX) jobs

quick-start: setup-lab ## the quick start, literally: a Debian with nothing on it, two lab machines, the report in a browser
	$(NOX) quick_start

docs: setup ## the documentation site, from modules, roles and guides
	$(NOX) docs

ebpf: setup ## the object of the eBPF backend, from ebpf/toa.bpf.c
	@ebpf/build.sh

clean: ## stop the lab of this checkout and drop what tests left
	@for run in .lab .lab/molecule-* .lab/faults-*; do REALIP_LAB_RUN="$$run" lab/lab down || true; done
	@rm -rf .lab reports tests/output
