# Everything runs on the Node that package-lock.json brings: `make setup` puts it into node_modules/.bin.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

FAULTS ?= 1000
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup packages mounts test soak verify demo bench build clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what tests and demo need: Debian packages, npm packages, a Kubernetes control plane
	@hack/setup/all.sh

packages: ## only the Debian packages (needs root when one is missing)
	@hack/setup/packages.sh

mounts: # asked first: without root, nothing below can run
	@hack/setup/mounts.sh

test: mounts setup ## run all tests: unit, QEMU and libvirt, API server, end to end
	npm test --silent

soak: mounts setup ## hours of random faults, restored bytes compared (FAULTS=1000 SEED=1)
	SOAK=1 FAULTS=$(FAULTS) SEED=$(SEED) npx vitest run --project soak

verify: mounts setup ## run everything a change must pass: format, lint, types, generated files, tests
	npm run --silent verify

demo: mounts setup ## see a full and an incremental backup, and a restore, on this machine
	node test/demo/main.ts

bench: setup ## measure the mover beside nbdcopy and qemu-img, in one run
	node bench/main.ts

build: setup ## bundle the programs into dist/
	npm run --silent build

clean: ## remove what was built here (the control plane's cache stays)
	rm -rf dist coverage node_modules
