# drhost: `make demo` shows a disaster recovered, `make test` passes everything.
SHELL := /bin/bash
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD := CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
FUZZ_TIME ?= 60s
FUZZ_EACH ?= 10s
FUZZ_LONG ?= 5m
PROGRAMS ?= 100000

.PHONY: build demo test race lint attacks fuzz fuzz-go torture bench bench-backup reference clean postgres lua hcloud age pgbackrest barman

build:
	$(BUILD) -o bin/drhost ./cmd/drhost

demo: postgres build
	bin/drhost drill runbooks/drills/hetzner_replacement.lua

test: postgres lua hcloud age lint
	DRHOST_FUZZ_TIME=$(FUZZ_TIME) go test -timeout 12m ./...
	$(MAKE) --no-print-directory fuzz-go FUZZ_EACH=$(FUZZ_EACH)
	cd bindings/fly/flysim/conformance && go test -timeout 2m ./...
	@if command -v gcc >/dev/null; then $(MAKE) --no-print-directory race; else echo "no gcc: the race detector is left out"; fi

race:
	go test -race -short -timeout 5m ./host/run ./host/gate ./host/sandbox ./host/journal/... ./host/terminal

lint:
	@test -z "$$(gofmt -l cmd host bindings runbooks stdlib tests)" || { echo "gofmt would change:"; gofmt -l cmd host bindings runbooks stdlib tests; exit 1; }
	go vet ./...

# Every attack on the sandbox; make test runs a third of them.
attacks:
	DRHOST_ATTACKS=all go test ./tests/attacks -count=1 -v -run 'TestAttacks$$' | grep -E '^(---|FAIL|ok)|attacks;'

# Loading of scripts, their check, the arguments of calls, the journal's chain.
fuzz-go:
	go test ./host/sandbox -run '^$$' -fuzz '^FuzzCompile$$' -fuzztime $(FUZZ_EACH)
	go test ./host/check -run '^$$' -fuzz '^FuzzFile$$' -fuzztime $(FUZZ_EACH)
	go test ./host/binding -run '^$$' -fuzz '^FuzzDecode$$' -fuzztime $(FUZZ_EACH)
	go test ./host/journal -run '^$$' -fuzz '^FuzzVerify$$' -fuzztime $(FUZZ_EACH)

fuzz: lua
	$(MAKE) --no-print-directory fuzz-go FUZZ_EACH=$(FUZZ_LONG)
	go run ./tests/luafuzz/cmd/luafuzz --programs $(PROGRAMS)

# Every run and undo dies at every boundary around the journal and the wire, and goes on.
# Then every runbook is planned under every fault of the world, and changes nothing.
torture: postgres
	go run ./tests/torture/cmd/torture
	DRHOST_TORTURE=1 go test ./tests -count=1 -run TestPlanChangesNothing

bench: postgres build
	go run ./tests/bench

# Backups and restores against the plan's own way, bare PostgreSQL and
# pgBackRest, and independent judges of what comes back. SIZE is in MB.
SIZE ?= 1500
ROUNDS ?= 3
bench-backup: postgres pgbackrest barman build
	go run ./tests/bench -backup -size $(SIZE) -rounds $(ROUNDS)

# Editor stubs and reference pages, out of the declarations.
reference:
	go test ./tests -run TestReference -update

clean:
	rm -rf bin

# What the machine lacks is installed through Debian's package manager.
define install
	@if ! { $(2); } >/dev/null 2>&1; then \
	  if command -v apt-get >/dev/null && { [ "$$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then \
	    sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	    echo "installing $(1)"; \
	    { $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1); } >/dev/null 2>&1 || \
	      { $(3) }; \
	  else \
	    $(3) \
	  fi; \
	fi
endef

postgres:
	$(call install,postgresql,ls /usr/lib/postgresql/*/bin/initdb || command -v initdb,echo "drhost needs PostgreSQL's server programs (initdb$(comma) postgres$(comma) pg_dump): install the package postgresql$(comma) then try again"; exit 1;)

lua:
	$(call install,lua5.1,command -v lua5.1,echo "the differential tests need PUC Lua 5.1: install the package lua5.1$(comma) then try again"; exit 1;)

hcloud:
	$(call install,hcloud-cli,command -v hcloud,echo "hcloud is not to be had: its tests are left out";)

age:
	$(call install,age zstd,command -v age && command -v zstd,echo "a test restores a backup by hand with age and zstd: install those packages$(comma) then try again"; exit 1;)

pgbackrest:
	$(call install,pgbackrest zstd,command -v pgbackrest && command -v zstd,echo "pgBackRest is not to be had: it is left out";)

barman:
	$(call install,barman,command -v barman,echo "Barman is not to be had: it judges nothing";)

comma := ,
