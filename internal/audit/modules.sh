#!/usr/bin/env bash
# Whether the modules are what go.sum says and go.mod names just what is needed: internal/audit/modules.sh [FOLDER…], without folders
# for all modules of the checkout. Those that are missing are loaded first.
set -euo pipefail
cd "$(dirname "$0")/../.."
go=${GO:-go}
if [ $# = 0 ]; then
    mapfile -t modules < <(git ls-files --cached --others --exclude-standard 'go.mod' '*/go.mod' | sort)
    set -- "${modules[@]%go.mod}"
fi
failed=""
for folder in "$@"; do
    folder=${folder:-.}
    said=$(cd "$folder" && "$go" mod download 2>&1 && "$go" mod verify 2>&1) || {
        failed="$failed $folder"
        printf '%s\n' "$said" | head -n 20
        echo "$folder: see above"
        continue
    }
    # tidy also wants the modules that only tests of others need; where they cannot be had it says nothing about ours.
    said=$(cd "$folder" && "$go" mod tidy -diff 2>&1) || {
        printf '%s\n' "$said" | head -n 20
        if printf '%s\n' "$said" | grep -q '^diff '; then
            failed="$failed $folder"
            echo "$folder: see above"
        else
            echo "$folder: sums hold; whether go.mod names just what is needed cannot be seen here"
        fi
        continue
    }
    echo "${folder%/}: $(grep -c . "$folder/go.sum" 2>/dev/null || echo 0) sums hold, nothing is missing or too much"
done
[ -z "$failed" ] || { echo "wrong:$failed" >&2; exit 1; }
