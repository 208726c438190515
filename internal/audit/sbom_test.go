package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema is that of CycloneDX 1.6, from its authors' own module.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	const base = "http://cyclonedx.org/schema/"
	for name, file := range map[string]string{"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json"} {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(moduleFile(t, "github.com/CycloneDX/cyclonedx-go", filepath.Join("schema", file))))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource(base+name, document); err != nil {
			t.Fatal(err)
		}
	}
	compiled, err := compiler.Compile(base + "bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// valid fails where a bill is not what the schema asks for.
func valid(t *testing.T, text []byte) {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema(t).Validate(document); err != nil {
		t.Errorf("%v\n%.2000s", err, text)
	}
}

// made is a binary of one module and the standard library, and these.
func made(t *testing.T) (*Binary, []Module) {
	mit := map[string]string{"LICENSE": words(t, "MIT")}
	modules := []Module{
		{Path: "example.com/lib", Version: "v1.2.0+incompatible", Sum: "h1:abc=", Dir: folder(t, mit), Folders: []string{"."}, Needs: []string{std}},
		{Path: "example.com/own", Own: true, Dir: folder(t, nil), Folders: []string{"."}, Needs: []string{"example.com/lib", std}},
		{Path: std, Dir: folder(t, map[string]string{"LICENSE": words(t, "BSD-3-Clause")}), Folders: []string{"."}},
	}
	info := &buildinfo.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: "example.com/own"}, Deps: []*debug.Module{{Path: "example.com/lib", Version: "v1.2.0+incompatible"}},
		Settings: []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "arm64"}, {Key: "vcs.time", Value: "now"}}}
	return &Binary{Info: info, SHA256: sha256.Sum256([]byte("binary")), Version: "1.0.0", Made: time.Unix(1764547200, 0).UTC()}, modules
}

func TestABillNamesEveryPartWithItsLicenceAndWhatItNeeds(t *testing.T) {
	b, modules := made(t)
	text, err := SBOM(b, modules)
	if err != nil {
		t.Fatal(err)
	}
	valid(t, text)
	type component struct {
		Name, Version, Purl string
		Licenses            []struct{ License struct{ ID string } }
	}
	var got struct {
		Metadata struct {
			Timestamp string
			Component component
		}
		Components   []component
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range append(got.Components, got.Metadata.Component) {
		lines = append(lines, c.Name+" "+c.Version+" "+c.Purl+" "+c.Licenses[0].License.ID)
	}
	for _, d := range got.Dependencies {
		lines = append(lines, d.Ref+": "+strings.Join(d.DependsOn, " "))
	}
	own, lib, goes := "pkg:golang/example.com/own@v1.0.0?goarch=arm64&goos=linux#cmd/coterie", "pkg:golang/example.com/lib@v1.2.0%2Bincompatible", "pkg:golang/std@1.26.8"
	want := []string{
		"example.com/lib v1.2.0+incompatible " + lib + " MIT", "std 1.26.8 " + goes + " BSD-3-Clause", "coterie 1.0.0 " + own + " Apache-2.0",
		lib + ": " + goes, own + ": " + lib + " " + goes, goes + ": ",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Metadata.Timestamp != "2025-12-01T00:00:00Z" {
		t.Errorf("got time %q, want that of the release", got.Metadata.Timestamp)
	}
	again, err := SBOM(b, modules)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("the second bill differs from the first (%v)", err)
	}
}

func TestABillOfAnotherCheckoutIsRefused(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Binary, []Module)
		want   string
	}{
		{"another version", func(b *Binary, _ []Module) { b.Info.Deps[0].Version = "v1.3.0" }, "it has no example.com/lib v1.2.0+incompatible, it has example.com/lib v1.3.0"},
		{"one more", func(b *Binary, _ []Module) {
			b.Info.Deps = append(b.Info.Deps, &debug.Module{Path: "example.com/more", Version: "v1.0.0"})
		}, "it has example.com/more v1.0.0"},
		{"one less", func(b *Binary, _ []Module) { b.Info.Deps = nil }, "it has no example.com/lib"},
		{"a replaced one", func(b *Binary, _ []Module) { b.Info.Deps[0].Replace = &debug.Module{Path: "./lib"} }, "module example.com/lib was replaced"},
		{"no licence", func(_ *Binary, m []Module) { m[0].Dir = t.TempDir() }, "has no licence"},
	}
	for _, c := range cases {
		b, modules := made(t)
		c.change(b, modules)
		_, err := SBOM(b, modules)
		holds(t, c.name, err, c.want)
	}
}

// COTERIE_BIN names a program that has been built already, from this checkout.
func TestTheBillOfTheProgramIsWhole(t *testing.T) {
	binary := os.Getenv("COTERIE_BIN")
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "coterie")
		build := exec.Command("go", "build", "-o", binary, program)
		build.Dir = filepath.Join("..", "..")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	var out, complaints strings.Builder
	if code := run(t.Context(), []string{"sbom", "-binary", binary, "-version", "0.0.0", "-time", "1764547200"}, &out, &complaints); code != 0 {
		t.Fatalf("got %d %s, want 0", code, complaints.String())
	}
	valid(t, []byte(out.String()))
	data, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pkg:golang/google.golang.org/grpc@v", "pkg:golang/std@1.", fmt.Sprintf("%x", sha256.Sum256(data))} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got no %s in %d bytes", want, out.Len())
		}
	}
	var again strings.Builder
	if code := run(t.Context(), []string{"sbom", "-binary", binary, "-version", "0.0.0", "-time", "1764547200"}, &again, &complaints); code != 0 || again.String() != out.String() {
		t.Errorf("got %d and another bill the second time, want the same bytes", code)
	}
}
