# Everything a developer or a newcomer does, one target each. `make demo` and `make test` install what they
# need (apt packages and virtual environments) and say so; `make setup` is that part alone.

SHELL := /bin/sh
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/realip-toa
VENVS := $(CACHE)/venvs
DEV := $(VENVS)/dev/bin
export REALIP_VENVS := $(VENVS)
# The checkout itself is the collection; a copy installed elsewhere must not win.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/collections
export ANSIBLE_HOME := $(CACHE)/ansible

.PHONY: help setup setup-lab demo test lint unit integration lab lab-source molecule faults bench ebpf docs clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: ## virtual environments for every ansible-core that a Python here can run
	@tests/setup.sh

setup-lab: setup ## what the lab needs of Debian (qemu, mmdebstrap, a compiler)
	@tests/setup.sh lab

demo: setup-lab ## the main job: lab machines from stock to translating, and proof after one more reboot
	@PATH="$(DEV):$$PATH" lab/demo

test: setup-lab ## all layers, those of this machine beside those of the lab
	@"$(DEV)/python" tests/all.py

lint: setup ## ruff, mypy, yamllint, ansible-lint, shellcheck
	@tests/lint.sh

unit: setup ## pure logic, on every Python found
	@tests/unit.sh

integration: setup-lab ## this machine: sshd on loopback, namespaces, real tools
	@tests/integration.sh

lab: setup-lab ## real machines: rollout, second run, reboot, removal, bad input
	@PATH="$(DEV):$$PATH"; python -m pytest -p no:cacheprovider -q --durations=20 tests/lab; code=$$?; lab/lab down; exit $$code

lab-source: setup-lab ## from source at full length: DKMS through kernel updates, a real Linux as rpm, as deb and compiled on a machine
	@PATH="$(DEV):$$PATH"; python -m pytest -p no:cacheprovider -q -s --durations=20 tests/source; code=$$?; lab/lab down; exit $$code

molecule: setup-lab ## molecule scenarios with testinfra; make molecule-NAME for one of them
	@PATH="$(DEV):$$PATH" tests/molecule.sh

molecule-%: setup-lab
	@PATH="$(DEV):$$PATH" tests/molecule.sh $*

faults: setup-lab ## break machines in every way of docs/faults.md, and see that none is lost
	@PATH="$(DEV):$$PATH"; python -m pytest -p no:cacheprovider -q -s tests/faults; code=$$?; lab/lab down; exit $$code

bench: setup-lab ## ratios, printed
	@PATH="$(DEV):$$PATH" python -m pytest -p no:cacheprovider -q -s tests/bench

ebpf: setup ## the object of the eBPF backend, from ebpf/toa.bpf.c
	@ebpf/build.sh

docs: setup ## the documentation site, from modules, roles and guides
	@PATH="$(DEV):$$PATH" tests/docs.sh

clean: ## stop the lab of this checkout and drop what tests left
	@for run in .lab .lab/molecule-*; do REALIP_LAB_RUN="$$run" lab/lab down || true; done
	@rm -rf .lab reports tests/output
