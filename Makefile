# The daily commands. `make` alone lists them.

GO        ?= go
BIN       ?= bin/coterie
FUZZTIME  ?= 30s
FUZZ      ?= .
SOAK      ?= 60s
# The packages where goroutines meet: the race detector runs over these. All of them: make race-all
RACE      ?= ./coordinator/... ./worker/... ./internal/embedded/... ./internal/pipeline/... \
             ./internal/progress/... ./internal/bubble/... ./internal/remote/... ./internal/checkpoint/... ./internal/secure/... \
             ./internal/cluster/... ./internal/serve/... ./internal/live/... ./internal/object/... ./internal/spill/... \
             ./internal/trace/... ./dataset/...

.DEFAULT_GOAL := help
.PHONY: help build test race race-all lint generate proto cluster tools e2e release deploy-check deploy-image e2e-kube licences vulncheck modules coverage bench bench-scale bench-objects fuzz soak model mutants sim ci clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/coterie, static
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/coterie

test: ## run all tests
	$(GO) test ./...

race: ## run the tests of the concurrent packages with the race detector; what fuzzing has found runs without it
	CGO_ENABLED=1 $(GO) test -race -short -skip '^Fuzz' $(RACE)

race-all: ## all tests of all packages with the race detector, and in the tests of a cluster all processes too (40 minutes)
	CGO_ENABLED=1 COTERIE_E2E_BUILD=-race $(GO) test -race -count=1 -timeout 60m ./...

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

tools: ## build the programs that end-to-end tests start beside Coterie into bin/tools
	@mkdir -p bin/tools
	cd internal/e2e/tools && $(GO) build -o ../../../bin/tools/versitygw github.com/versity/versitygw/cmd/versitygw
	cd internal/e2e/tools && $(GO) build -o ../../../bin/tools/toxiproxy github.com/Shopify/toxiproxy/v2/cmd/server

e2e: tools ## six months on a cluster with a real object store, with faults; the same against one process
	COTERIE_TOOLS=$(CURDIR)/bin/tools $(GO) test -count=1 -timeout 20m -v -run 'TestMonthsInProduction|ObjectStore|LostOnTheWay' ./internal/e2e

release: ## the archives of a release in dist, for six systems and processors
	@deploy/release.sh dist

deploy-check: ## check deploy: manifests, flags, metrics, units, alert rules, and that a release is the same twice
	cd deploy/check && $(GO) vet ./... && $(GO) test -count=1 ./...
	deploy/check/rules.sh
	deploy/check/twice.sh

deploy-image: ## build the image with buildah and run it with podman
	deploy/check/image.sh

e2e-kube: ## apply all manifests to a real API server of Kubernetes
	deploy/check/kube.sh

licences: ## write THIRD_PARTY_LICENSES anew; refuses modules whose licence is not known or not allowed
	$(GO) -C internal/audit run . licences -write

vulncheck: ## known vulnerabilities in what the program calls; status 77 where the database is out of reach
	@$(GO) -C internal/audit build -o $(CURDIR)/bin/audit . && cd internal/audit && $(CURDIR)/bin/audit vulncheck

modules: ## all modules are what go.sum says, and go.mod names just what is needed
	@internal/audit/modules.sh

coverage: ## what the whole suite reaches: statements, basic blocks, branches, and what nothing does
	@internal/audit/coverage.sh

bench: ## run the benchmarks, five times, for benchstat
	$(GO) test -run '^$$' -bench . -benchmem -count 5 ./...

bench-scale: ## what a coordinator costs at ten to a thousand workers, an event and a second
	PYTHONDONTWRITEBYTECODE=1 python3 bench/scale.py

bench-objects: tools ## how fast tables are read from a real object store, against a plain reader of ranges
	COTERIE_BENCH=1 COTERIE_TOOLS=$(CURDIR)/bin/tools $(GO) test -count=1 -v -run TestSpeedOfReadingFromAnObjectStore ./internal/e2e

fuzz: ## run every fuzz target for FUZZTIME (30s); FUZZ='dataset/csv|FuzzConfig' runs those that match
	@.ci/fuzz $(FUZZTIME) 0/1 '$(FUZZ)'

soak: ## let a cluster live under faults for SOAK (60s; 1h for a verdict on memory); graph, samples and account in bin/soak
	@mkdir -p bin/soak
	COTERIE_SOAK=$(SOAK) COTERIE_SOAK_OUT=$(CURDIR)/bin/soak $(GO) test -count=1 -timeout 0 -v -run TestTheClusterEndures ./internal/e2e/soak

model: ## every state of the model of ledger and epochs, also beside the real code; and what its guards are good for
	COTERIE_MODEL=1 $(GO) test -count=1 -timeout 60m -v ./internal/modelcheck
	COTERIE_MODEL=1 $(GO) test -count=1 -timeout 60m -v -run TestTheRealJobDoesWhatTheModelOfItDoes ./coordinator

mutants: ## break the product in every way of internal/mutants, each of which a test must notice; or in one: ONLY=name
	COTERIE_MUTANTS=$(or $(ONLY),all) $(GO) test -count=1 -timeout 120m -v -run TestEveryMutantIsCaught ./internal/mutants

sim: ## simulated clusters under faults of every kind, RUNS seeds (1000) from SEED (1) on, with the table of faults and phases
	GOGC=400 $(GO) run ./internal/sim/simulate --runs $(or $(RUNS),1000) --seed $(or $(SEED),1) --jobs $(or $(JOBS),$(shell nproc))

ci: ## everything that must be green before a change lands
	.ci/run

clean: ## remove what the build made
	rm -rf bin dist
