#!/usr/bin/env bash
# What the tests reach: internal/audit/coverage.sh [FOLDER], from the whole suite, processes that it starts included; PACKAGES (./...) are those whose tests
# run, TESTFLAGS are handed to go test. FOLDER keeps the counts (in profile, as go tool cover reads it, and in report). A process that is killed says nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
go=${GO:-go}
folder=${1:-}
if [ -z "$folder" ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder/tests" "$folder/processes"
folder=$(cd "$folder" && pwd)
status=0
# Counts and not just whether: an if without else was passed by where it was reached more often than its body.
# shellcheck disable=SC2086
COTERIE_E2E_COUNTS=$folder/processes COTERIE_E2E_BUILD="-cover -covermode=atomic" \
    "$go" test -count=1 -timeout 40m -covermode=atomic -coverpkg=./... ${TESTFLAGS:-} ${PACKAGES:-./...} -args -test.gocoverdir="$folder/tests" >"$folder/tests.out" 2>&1 || status=$?
grep -vE '^ok |no test files|coverage: ' "$folder/tests.out" || true
"$go" tool covdata textfmt -i "$folder/tests,$folder/processes" -o "$folder/profile"
"$go" -C internal/audit run . coverage "$folder/profile" | tee "$folder/report"
exit $status
