#!/usr/bin/env bash
# The alert rules through promtool: whether Prometheus takes them, and whether each fires when it should. promtool is built
# into bin/tools the first time, without the clients of clouds that it would find machines with; that takes some minutes.
set -euo pipefail
cd "$(dirname "$0")"
promtool=${PROMTOOL:-$PWD/../../bin/tools/promtool}
if [ ! -x "$promtool" ]; then
    mkdir -p "$(dirname "$promtool")"
    (cd promtool && CGO_ENABLED=0 "${GO:-go}" build -trimpath -tags remove_all_sd -ldflags '-s -w' -o "$promtool" github.com/prometheus/prometheus/cmd/promtool)
fi
cd ../prometheus
"$promtool" check rules --lint=all --lint-fatal coterie.rules.yaml
"$promtool" test rules coterie.tests.yaml
