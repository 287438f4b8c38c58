# SPDX-License-Identifier: Apache-2.0
# "make help" lists the targets. Each installs nothing but what "make deps" says;
# those marked (root) load BPF programs.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 10s
# those that take longest first
KERNEL   ?= newest 6.12 6.12-arm64 6.1 5.10 unstable newest-arm64 unstable-arm64 6.1-arm64 5.10-arm64
BENCH    ?=
GO_RELEASES ?= all
CHAOS    ?=
PREFIX   ?= /usr/local
DESTDIR  ?=
DIST     ?= bin/dist
ARCHES   ?= amd64 arm64

# The agent is linked statically: it runs on any Linux of its architecture.
BUILD = CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test verify build deps generate drift check conventions unit test-c fuzz-c mutation integration harm harm-vm chaos fuzz bench bench-cmp bench-links bench-vm bench-plot test-vm test-vm-quick support verifier verifier-accept \
	pages install uninstall package image sbom test-k8s test-packaging test-go-versions go-layouts clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## (root) trace four small services and print their traces; needs Go only
	@if [ "$$(id -u)" != 0 ]; then echo "make demo loads BPF programs: run it as root" >&2; exit 1; fi
	bin/tracer-agent demo

test: check deps verify ## (root) installs the packages that are missing, then verifies; CI runs more (scripts/ci.sh)

verify: check drift test-c unit integration test-vm-quick ## (root) formatting, vet, drift of generated files, C and Go unit tests, integration tests, an old and a new kernel

build: ## bin/tracer-agent
	$(BUILD) -o bin/tracer-agent ./cmd/tracer-agent

deps: ## (root) install the Debian packages that generating and testing need
	scripts/deps.sh scripts/packages.txt test/integration/packages.txt

generate: ## BPF objects and generated documentation anew; needs clang-19
	$(GO) generate ./...

drift: ## fail if a generated file is not what its source makes
	GO="$(GO)" scripts/drift.sh

check: ## gofmt, go vet, conventions
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not formatted: $$unformatted" >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags integration ./...
	$(GO) vet -tags k8s ./test/k8s/...
	$(GO) vet -tags hostc ./internal/conn
	$(GO) vet -tags links ./test/links/...
	GOARCH=arm64 $(GO) build -o /dev/null ./cmd/tracer-agent
	$(GO) test -count=1 ./internal/conventions

unit: ## unit tests, with the race detector
	CGO_ENABLED=1 $(GO) test -race -timeout 10m ./...

test-c: ## the BPF programs compiled for this machine, under sanitizers: unit tests, model, fuzzer
	GO="$(GO)" scripts/test-c.sh

fuzz-c: ## the BPF programs, compiled for this machine, fuzzed for FUZZTIME each
	scripts/fuzz-c.sh $(FUZZTIME)

mutation: ## change the sources line by line: is each change noticed? Table in docs/testing.md (ONLY=text: a part)
	GO="$(GO)" scripts/mutation.sh $(if $(ONLY),-only "$(ONLY)")

integration: build ## (root) real servers and clients, on every backend that this kernel loads
	GO="$(GO)" scripts/integration.sh

harm: build ## (root) agents come, go and are killed beside busy applications, whose every byte is compared
	TRACER_AGENT=$(CURDIR)/bin/tracer-agent HARM_TIME=$(or $(HARM_TIME),60s) $(GO) test -tags integration -count=1 -timeout 30m -v ./test/harm

harm-vm: ## (root) the same on stock Debian kernels in virtual machines, one after the other (KERNEL)
	for kernel in $(KERNEL); do test/harm/vm.sh "$$kernel" || exit 1; done

chaos: build ## (root) faults one by one, their outcomes in docs/faults.md; takes 10 minutes (CHAOS: further arguments)
	@mkdir -p .cache
	$(GO) build -o .cache/chaos ./test/chaos
	.cache/chaos -agent $(CURDIR)/bin/tracer-agent -out docs/faults.md $(CHAOS)

fuzz: ## every fuzzer for FUZZTIME (default 10s)
	GO="$(GO)" scripts/fuzz.sh $(FUZZTIME)

bench: ## (root) CPU time per request with and without the agent, on this machine; the report is stored in test/bench/results
	test/bench/run.sh host $(BENCH)

bench-cmp: ## two reports side by side (OLD, NEW), or what "make bench" changed
	test/bench/run.sh cmp $(OLD) $(NEW)

bench-links: build ## (root) how right the links between spans are, by runtime; writes docs/links.md
	scripts/deps.sh test/links/packages.txt
	TRACER_AGENT=$(CURDIR)/bin/tracer-agent TRACER_LINKS_TABLE=$(CURDIR)/docs/links.md $(GO) test -count=1 -tags links -timeout 40m ./test/links

bench-vm: ## (root) the same on an instruction clock, in a virtual machine; fails on a rise until ACCEPT=1
	ACCEPT=$(ACCEPT) test/bench/run.sh vm $(BENCH)

bench-plot: ## tables and chart of docs/performance.md out of the stored reports
	test/bench/run.sh plot

test-vm: ## (root) integration tests on stock Debian kernels in virtual machines; KERNEL="6.1 6.12-arm64" selects
	ACCEPT=$(ACCEPT) VM_DEADLINE=$(VM_DEADLINE) scripts/test-vm.sh full $(KERNEL)

test-vm-quick: ## (root) the shortest of them, on an old and a new kernel, or KERNEL
	ACCEPT=$(ACCEPT) scripts/test-vm.sh quick $(if $(filter command environment,$(firstword $(origin KERNEL))),$(KERNEL),5.10 6.12)

support: ## results of make test-vm into docs/support.md
	$(GO) run ./test/vm/matrix -publish $(wildcard .cache/vm/matrix/*.txt)

verifier: ## (root) every BPF program on every kernel of the matrix; fails if instruction counts rose above 10 %
	ACCEPT=$(ACCEPT) scripts/test-vm.sh verifier $(KERNEL)

verifier-accept: ## accept the instruction counts of the last make verifier, test-vm or test-vm-quick (ACCEPT=1 with those: at once)
	$(GO) run ./test/vm/matrix -accept $(wildcard .cache/vm/matrix/*.txt)

pages: build ## bin/pages: manual pages, shell completion, licences of what is linked
	$(GO) run ./internal/cli/genman -version "$(VERSION)" -out bin/pages
	GO="$(GO)" deploy/packaging/licences.sh bin/tracer-agent >bin/pages/licences.txt

install: pages ## (root) the agent, its unit and its pages, below DESTDIR and PREFIX (default /usr/local)
	deploy/packaging/stage.sh "$(DESTDIR)" "$(PREFIX)" bin/tracer-agent bin/pages bin/pages/licences.txt

uninstall: pages ## (root) remove what install put there, but not /etc/tracer-agent
	scripts/uninstall.sh "$(DESTDIR)" "$(PREFIX)"

package: ## bin/dist: .deb, .rpm, tarball, SBOM, container image and checksums for ARCHES
	GO="$(GO)" VERSION="$(VERSION)" deploy/packaging/package.sh "$(DIST)" $(ARCHES)

image: ## bin/dist: the container image alone, an OCI archive for ARCHES
	GO="$(GO)" VERSION="$(VERSION)" ONLY=image deploy/packaging/package.sh "$(DIST)" $(ARCHES)

sbom: ## bin/dist: the bill of materials alone, CycloneDX, for ARCHES
	GO="$(GO)" VERSION="$(VERSION)" ONLY=sbom deploy/packaging/package.sh "$(DIST)" $(ARCHES)

test-k8s: build ## (root) a real API server and real nodes, then guests with cgroup v2 alone, v1 alone and both; builds Kubernetes through the Go proxy first (minutes, once)
	GO="$(GO)" test/k8s/run.sh

test-packaging: build ## (root) packages, image, unit and dropped capabilities, in clean roots; installs what it needs
	GO="$(GO)" scripts/test-packaging.sh

test-go-versions: ## executables of every Go release since 1.17 (GO_RELEASES), which it fetches; takes hours
	TRACER_GO_RELEASES="$(GO_RELEASES)" $(GO) test -count=1 -timeout 0 -v -run 'TestInspectReleases|TestExperiments' ./internal/gobin

go-layouts: ## read anew, from every Go release since 1.17, where the fields lie that linking needs
	$(GO) run ./internal/gobin/gen -out internal/gobin/layouts.go

clean: ## remove what was built; .cache (logs and results) stays
	rm -rf bin
