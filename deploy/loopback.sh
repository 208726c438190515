#!/usr/bin/env bash
# One coordinator and some workers on this machine, until Ctrl-C: deploy/loopback.sh [WORKERS]
#
# BIN is the binary (bin/coterie), ROOT the folder that workers may read data from and write labels to (this folder),
# STATE the coordinator's (bin/loopback). LISTEN and GOSSIP are the coordinator's addresses.
set -euo pipefail
workers=${1:-3}
bin=${BIN:-bin/coterie}
root=${ROOT:-$PWD}
state=${STATE:-bin/loopback}
listen=${LISTEN:-127.0.0.1:7600}
gossip=${GOSSIP:-127.0.0.1:7946}
http=${HTTP:-127.0.0.1:7680}
mkdir -p "$state"
pids=()
stop() {
    trap - INT TERM EXIT
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
}
trap stop INT TERM EXIT

# started LOG PID: waits until the process has said that it is ready.
started() {
    for _ in $(seq 100); do
        if grep -q '^ready' "$1"; then return; fi
        kill -0 "$2" 2>/dev/null || break
        sleep 0.1
    done
    echo "it did not start:" >&2
    cat "$1" >&2
    exit 1
}

"$bin" coordinator --listen "$listen" --gossip "$gossip" --http "$http" --state "$state/state" >"$state/coordinator.log" 2>&1 &
pids+=($!)
started "$state/coordinator.log" $!
for i in $(seq "$workers"); do
    "$bin" worker --join "$gossip" --data-root "$root" --name "worker-$i" --threads 1 >"$state/worker-$i.log" 2>&1 &
    pids+=($!)
    started "$state/worker-$i.log" $!
done
echo "coordinator and $workers workers are ready; logs are in $state; Ctrl-C ends them"
echo
echo "  $bin status --cluster $listen"
echo "  $bin fit 'synth://customers?rows=2000000&seed=1' -k 5 -o model.json --cluster $listen"
wait
