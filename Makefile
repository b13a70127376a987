# Everything a developer or a newcomer does, one target each. `make demo` and `make test` install what they
# need (apt packages and virtual environments) and say so; `make setup` is that part alone.
# What has no rule of its own here is a session of noxfile.py, with - in place of _; molecule-NAME and lab-machine-NAME are one of many.

SHELL := /bin/sh
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/realip-toa
VENVS := $(CACHE)/venvs
DEV := $(VENVS)/dev/bin
NOX = "$(DEV)/nox" -f "$(CURDIR)/noxfile.py"
export REALIP_VENVS := $(VENVS)
# The checkout itself is the collection; a copy installed elsewhere must not win.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/collections
export ANSIBLE_HOME := $(CACHE)/ansible

# Folders of these names are no reason to do nothing; and what make looks for by itself is no session.
.PHONY: help setup setup-quick setup-lab demo test test-all ebpf clean
.SUFFIXES:
Makefile: ;

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do printf '  %-18s %s\n' "$$name" "$$what"; done
	@if [ -x "$(DEV)/nox" ]; then $(NOX) --list | "$(DEV)/python" tests/sessions.py; else echo "  The other targets are sessions of noxfile.py: make setup-quick, then make help."; fi

setup: ## virtual environments, and the Debian packages that tests of this machine use
	@tests/setup.sh tests

setup-quick: ## the environment of development alone
	@tests/setup.sh quick

setup-lab: ## what the lab needs of Debian (qemu, mmdebstrap, a compiler) as well
	@tests/setup.sh lab

demo: setup-lab ## the main job: lab machines from stock to translating, and proof after one more reboot
	@PATH="$(DEV):$$PATH" lab/demo

test: setup-lab ## every layer: this machine, the newest ansible-core, real machines that boot
	@"$(DEV)/python" tests/all.py

test-all: test ## that, then the rest: every Python and ansible-core, every kind of machine
	@"$(DEV)/python" tests/all.py rest

ebpf: setup ## the object of the eBPF backend, from ebpf/toa.bpf.c
	@ebpf/build.sh

clean: ## stop the lab of this checkout and drop what tests left
	@for run in .lab .lab/molecule-* .lab/faults-*; do REALIP_LAB_RUN="$$run" lab/lab down || true; done
	@rm -rf .lab reports tests/output

fuzz: export REALIP_FUZZ_SECONDS ?= 600

unit: setup-quick
	@$(NOX) -s unit_target unit_controller

molecule-%: setup-quick
	@$(NOX) -s "molecule($*)"

lab-machine-%: setup-quick
	@$(NOX) -s "lab_machines($*)"

%: setup-quick
	@$(NOX) -s "$(subst -,_,$@)"
