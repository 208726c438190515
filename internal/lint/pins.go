package lint

import (
	"bufio"
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	pipInstall = regexp.MustCompile(`\bpip3?"? .*\binstall\b`)
	goVersion  = regexp.MustCompile(`(?i)\bgo[")]? (?:-\S+ (?:[^-\s]\S* )?)*(?:install|run|get)\b[^|;&]*[\w/]@(\S+)`)
	exact      = regexp.MustCompile(`^v\d+\.\d+\.\d+`)
	fetched    = regexp.MustCompile(`\b(?:curl|wget)\b.*https://`) // http:// is this machine, in scripts of ours
	fromImage  = regexp.MustCompile(`(?i)^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?`)
)

// Pinned are the places of scripts and of image files where something is taken from elsewhere that may be another thing tomorrow: Python
// packages without digests, Go programs without a version, files without a digest, images without one and without a word on why. What apt installs is
// signed by the distribution, and modules are held by go.sum.
func Pinned(tree Tree) []Finding {
	var found []Finding
	for _, name := range tree.names() {
		switch {
		case binary(tree[name]):
		case strings.Contains(path.Base(name), "Dockerfile"):
			found = append(found, pinnedImages(name, tree[name])...)
		case script(name, tree[name]):
			found = append(found, pinnedDownloads(name, tree[name])...)
		}
	}
	return found
}

// script says whether a file is one that a shell or make reads.
func script(name string, text []byte) bool {
	return path.Base(name) == "Makefile" || strings.HasSuffix(name, ".sh") || bytes.HasPrefix(text, []byte("#!")) && bytes.Contains(text[:min(len(text), 40)], []byte("sh"))
}

func pinnedDownloads(name string, text []byte) []Finding {
	var found []Finding
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "#") {
			continue
		}
		if pipInstall.MatchString(line) && !strings.Contains(line, "--require-hashes") {
			found = append(found, Finding{name, n, "pip without --require-hashes takes what is there today"})
		}
		if hit := goVersion.FindStringSubmatch(line); hit != nil && !exact.MatchString(hit[1]) {
			found = append(found, Finding{name, n, "@" + hit[1] + " is another program tomorrow: name a version, or pin it in a go.mod"})
		}
		if fetched.MatchString(line) && !bytes.Contains(text, []byte("sha256sum -c")) {
			found = append(found, Finding{name, n, "a file from elsewhere, and no sha256sum -c"})
		}
	}
	return found
}

// pinnedImages looks at the images that a Dockerfile begins with. A comment right above may say why one has no digest.
func pinnedImages(name string, text []byte) []Finding {
	var found []Finding
	stages := []string{"scratch"}
	reason := false
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		hit := fromImage.FindStringSubmatch(line)
		switch {
		case hit == nil:
			reason = reason && !strings.HasPrefix(line, "RUN") && strings.TrimSpace(line) != "" || strings.HasPrefix(line, "#") && strings.Contains(line, "digest")
			continue
		case !slices.Contains(stages, hit[1]) && !strings.Contains(hit[1], "@sha256:") && !reason:
			found = append(found, Finding{name, n, hit[1] + " has no digest, and no comment above says why"})
		}
		if hit[2] != "" {
			stages = append(stages, hit[2])
		}
		reason = false
	}
	return found
}
