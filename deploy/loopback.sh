#!/usr/bin/env bash
# One coordinator and some workers on this machine, until Ctrl-C: deploy/loopback.sh [WORKERS]
#
# BIN is the binary (bin/coterie), ROOT the folder that workers may read data from and write labels to (this folder),
# STATE the coordinator's (bin/loopback). LISTEN and GOSSIP are the coordinator's addresses. MEMORY is what each worker may
# take, such as 4GiB: else they share three quarters of this machine's memory, or of its control group's.
set -euo pipefail
workers=${1:-3}
bin=${BIN:-bin/coterie}
root=${ROOT:-$PWD}
state=${STATE:-bin/loopback}
listen=${LISTEN:-127.0.0.1:7600}
gossip=${GOSSIP:-127.0.0.1:7946}
http=${HTTP:-127.0.0.1:7680}
mkdir -p "$state"

# shared prints what each of so many workers may take; nothing where that is not known, and each decides by itself.
shared() {
    local kib group least=$((64 << 10))
    kib=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo 2>/dev/null) || kib=$(($(sysctl -n hw.memsize 2>/dev/null || echo 0) >> 10))
    group=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
    if [[ $group != max && $((group >> 10)) -lt $kib ]]; then kib=$((group >> 10)); fi
    if ((kib > 0)); then
        kib=$((kib * 3 / 4 / $1))
        echo "$((kib > least ? kib : least))KiB"
    fi
}
memory=${MEMORY:-$(shared "$workers")}
pids=()
stop() {
    trap - INT TERM EXIT
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
}
trap stop INT TERM EXIT

# started LOG PID: waits until the process has said that it is ready.
started() {
    local alive=true
    for _ in $(seq 100); do
        kill -0 "$2" 2>/dev/null || alive=false
        if grep -qs '^ready' "$1"; then return; fi # the log may not be there yet
        $alive || break
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
    "$bin" worker --join "$gossip" --data-root "$root" --name "worker-$i" --threads 1 ${memory:+--memory "$memory"} >"$state/worker-$i.log" 2>&1 &
    pids+=($!)
    started "$state/worker-$i.log" $!
done
echo "coordinator and $workers workers are ready; logs are in $state; Ctrl-C ends them"
echo
echo "  $bin status --cluster $listen"
echo "  $bin fit 'synth://customers?rows=2000000&seed=1' -k 5 -o model.json --cluster $listen"
wait
