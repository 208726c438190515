package lint

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsTakenFromElsewhereIsPinned(t *testing.T) { report(t, Pinned(load(t)), nil) }

func TestPinnedFindsWhatIsNot(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tree := Tree{
		"run":          []byte("#!/usr/bin/env bash\n# pip install x\n\"$venv/bin/pip\" -q install duckdb\npip install --require-hashes -r x.txt\ngo install example.com/x@latest\ngo run example.com/x@v1.2.3\n"),
		"get.sh":       []byte("curl -sSfO https://example.com/x.tar.gz\ncurl http://127.0.0.1:7780/readyz\n"),
		"checked.sh":   []byte("curl -sSfO https://example.com/x.tar.gz\necho 00 x.tar.gz | sha256sum -c\n"),
		"Makefile":     []byte("x:\n\t$(GO) -C x run . y\n\tgo -C tools install example.com/x@main\n"),
		"page.md":      []byte("pip install coterie\n"),
		"a/Dockerfile": []byte("# A word about nothing.\nFROM golang:1.26 AS build\nRUN x\nFROM build AS second\nFROM scratch\nFROM debian" + digest + "\n"),
		"b/Dockerfile": []byte("# No digest: each architecture would need its own.\nARG X\nFROM --platform=$BUILDPLATFORM golang:1.26 AS build\nFROM alpine\n"),
	}
	want := []Finding{
		{"Makefile", 3, "@main is another program tomorrow: name a version, or pin it in a go.mod"},
		{"a/Dockerfile", 2, "golang:1.26 has no digest, and no comment above says why"},
		{"b/Dockerfile", 4, "alpine has no digest, and no comment above says why"},
		{"get.sh", 1, "a file from elsewhere, and no sha256sum -c"},
		{"run", 3, "pip without --require-hashes takes what is there today"},
		{"run", 5, "@latest is another program tomorrow: name a version, or pin it in a go.mod"},
	}
	if diff := cmp.Diff(want, Pinned(tree)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
