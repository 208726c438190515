#!/usr/bin/env bash
# Builds a kube-apiserver and an etcd from their modules into a folder: deploy/check/kube-build.sh FOLDER
#
# The modules of Kubernetes name each other as v0.0.0 and are put together by replacements, which only the main module may
# have: so each program is built from a module around it that has nothing but them. About three minutes on two cores, and
# 2 GB of build cache; what is there already is not built again.
set -euo pipefail
kubernetes=1.36.3
etcd=3.7.3
out=$(mkdir -p "${1:?usage: kube-build.sh FOLDER}" && cd "$1" && pwd)
go=${GO:-go}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GOFLAGS=-mod=mod CGO_ENABLED=0

apiserver() {
    local mod staging
    mod=$("$go" mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
    staging=$(sed -n 's/^\t\(k8s.io\/[a-z-]*\) v0\.0\.0$/\1/p' "$mod")
    {
        printf 'module wrapper\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$kubernetes"
        for module in $staging; do
            printf '\t%s => %s v0.%s\n' "$module" "$module" "${kubernetes#*.}"
        done
        printf ')\n'
    } >go.mod
    printf '//go:build tools\n\npackage wrapper\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver"\n' >tools.go
    # Without a version the server takes itself for 0.0 and does not start.
    local at=k8s.io/component-base/version
    "$go" build -trimpath -ldflags "-s -w -X $at.gitVersion=v$kubernetes -X $at.gitMajor=1 -X $at.gitMinor=$(echo "$kubernetes" | cut -d. -f2)" \
        -o "$out/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver
}

store() {
    printf 'module wrapper\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/server/v3 v%s\n' "$etcd" >go.mod
    printf 'package main\n\nimport (\n\t"os"\n\n\t"go.etcd.io/etcd/server/v3/etcdmain"\n)\n\nfunc main() { etcdmain.Main(os.Args) }\n' >main.go
    "$go" build -trimpath -ldflags "-s -w" -o "$out/etcd" .
}

# made NAME FUNCTION: builds what is not there.
made() {
    if [ -x "$out/$1" ]; then return; fi
    echo "building $1" >&2
    mkdir -p "$work/$1"
    (cd "$work/$1" && "$2")
}

made etcd store
made kube-apiserver apiserver
