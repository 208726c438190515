#!/usr/bin/env bash
# All manifests of deploy/ applied to a real kube-apiserver with etcd, with strict validation and the strictest standard for
# pods. The programs are built into bin/kube the first time, which takes about three minutes and 4 GB of disk on the way.
set -euo pipefail
cd "$(dirname "$0")"
out=../../bin/kube
./kube-build.sh "$out"
"${GO:-go}" run ./kube "$out"
