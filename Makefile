# The daily commands. `make` alone lists them.

GO        ?= go
BIN       ?= bin/coterie
FUZZTIME  ?= 30s
# The packages where goroutines meet: the race detector runs over these.
RACE      ?= ./coordinator/... ./worker/... ./internal/embedded/... ./internal/pipeline/... \
             ./internal/progress/... ./internal/remote/... ./internal/checkpoint/... ./internal/secure/... \
             ./internal/cluster/... ./internal/serve/... ./dataset/... ./cmd/coterie/...

.DEFAULT_GOAL := help
.PHONY: help build test race lint generate proto cluster bench fuzz ci clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/coterie, static
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/coterie

test: ## run all tests
	$(GO) test ./...

race: ## run the tests of the concurrent packages with the race detector
	CGO_ENABLED=1 $(GO) test -race -short $(RACE)

lint: ## vet, formatting, and the rules of internal/lint
	$(GO) vet ./...
	@unformatted="$$(gofmt -l .)"; if [ -n "$$unformatted" ]; then echo "not gofmt'ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) test ./internal/lint/...

generate: ## make the generated code anew
	$(GO) generate ./...

proto: ## make the code of the cluster's messages anew; refuses what would break version 1
	$(GO) generate ./proto/...

cluster: build ## start a coordinator and three workers on this machine, until Ctrl-C
	@BIN=$(BIN) deploy/loopback.sh 3

bench: ## run the benchmarks, five times, for benchstat
	$(GO) test -run '^$$' -bench . -benchmem -count 5 ./...

fuzz: ## run every fuzz target for FUZZTIME (30s)
	@.ci/fuzz $(FUZZTIME)

ci: ## everything that must be green before a change lands
	.ci/run

clean: ## remove what the build made
	rm -rf bin
