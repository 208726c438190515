package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// program is the package that is given away, seen from the top of the checkout.
const program = "./cmd/coterie"

// std is the path by which the standard library goes among the modules.
const std = "std"

// targets are the systems and processors of a release; release.sh builds the same.
var targets = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// Module is one module that the program links.
type Module struct {
	Path    string   // std is the standard library
	Version string   // "" for the module of the checkout itself
	Sum     string   // as in go.sum, "h1:…"
	Dir     string   // where its files are
	Folders []string // those of the linked packages, below Dir, with slashes; "." is the top; in order
	Needs   []string // the paths of the modules that its linked packages import, in order
	Own     bool     // the module of the checkout
}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Dir        string
	Standard   bool
	Imports    []string
	ImportMap  map[string]string
	Module     *struct {
		Path, Version, Sum, Dir string
		Main                    bool
		Replace                 *struct{ Path string }
	}
}

// Linked are the modules that the program of the checkout at root links when it is built for one target or another, in the
// order of their paths. Only a module without replacement is known by its name, so one is an error.
func Linked(ctx context.Context, root string, targets ...string) ([]Module, error) {
	found := make(map[string]*Module)
	for _, target := range targets {
		packages, err := listPackages(ctx, root, target)
		if err != nil {
			return nil, err
		}
		owner := make(map[string]string, len(packages)) // import path to path of module
		for _, p := range packages {
			m, err := p.module()
			if err != nil {
				return nil, err
			}
			owner[p.ImportPath] = m.Path
			if found[m.Path] == nil {
				found[m.Path] = m
			}
			found[m.Path].Folders = append(found[m.Path].Folders, p.folder(m.Dir))
		}
		for _, p := range packages {
			m := found[owner[p.ImportPath]]
			for _, name := range p.Imports {
				if mapped, ok := p.ImportMap[name]; ok {
					name = mapped
				}
				if to := owner[name]; to != "" && to != m.Path {
					m.Needs = append(m.Needs, to)
				}
			}
		}
	}
	all := make([]Module, 0, len(found))
	for _, m := range found {
		m.Folders, m.Needs = unique(m.Folders), unique(m.Needs)
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

// unique sorts and drops what is there twice.
func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// module is what a package belongs to.
func (p *listed) module() (*Module, error) {
	switch {
	case p.Standard:
		return &Module{Path: std, Dir: goRoot(p)}, nil
	case p.Module == nil:
		return nil, fmt.Errorf("%s belongs to no module", p.ImportPath)
	case p.Module.Replace != nil:
		return nil, fmt.Errorf("module %s is replaced by %s: what is linked has another name and licence than it seems; depend on it by its own name", p.Module.Path, p.Module.Replace.Path)
	}
	return &Module{Path: p.Module.Path, Version: p.Module.Version, Sum: p.Module.Sum, Dir: p.Module.Dir, Own: p.Module.Main}, nil
}

// goRoot is the folder of Go, from that of a package of the standard library: GOROOT/src/PATH.
func goRoot(p *listed) string {
	return filepath.Dir(strings.TrimSuffix(p.Dir, string(filepath.Separator)+filepath.FromSlash(p.ImportPath)))
}

// folder is where the package is, below the top of its module.
func (p *listed) folder(top string) string {
	below, err := filepath.Rel(top, p.Dir)
	if err != nil || p.Standard {
		return "." // all of the standard library is under one licence
	}
	return filepath.ToSlash(below)
}

// listPackages asks the go command for all packages that the program is made of, built as a release is. A target is "linux/amd64".
func listPackages(ctx context.Context, root, target string) ([]*listed, error) {
	system, processor, _ := strings.Cut(target, "/")
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-json=ImportPath,Dir,Standard,Imports,ImportMap,Module", program)
	list.Dir = root
	list.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	var complaints bytes.Buffer
	list.Stderr = &complaints
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -deps %s for %s: %w\n%s", program, target, err, complaints.Bytes())
	}
	var packages []*listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		switch err := decoder.Decode(p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, fmt.Errorf("what go list says: %w", err)
		}
		packages = append(packages, p)
	}
}
