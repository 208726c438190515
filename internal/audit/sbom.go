package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Binary is what a bill of materials is about.
type Binary struct {
	Info    *buildinfo.BuildInfo
	SHA256  [sha256.Size]byte
	Version string    // of the release, "" if there is none
	Made    time.Time // of the commit, which is that of the release
}

// sbomCommand is audit sbom.
func sbomCommand(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("sbom", flag.ContinueOnError)
	root := set.String("root", filepath.Join("..", ".."), "the top of the checkout that the binary was built from")
	binary := set.String("binary", "", "the program, for whichever system")
	version := set.String("version", "", "the version of the release")
	made := set.Int64("time", 0, "the time of the release, in seconds since 1970, as SOURCE_DATE_EPOCH has it")
	file := set.String("o", "", "the file to write; none is standard output")
	if err := parse(set, args, 0); err != nil {
		return err
	}
	if *binary == "" {
		return fmt.Errorf("audit sbom: --binary is missing\n%w", errUsage)
	}
	b, err := ReadBinary(*binary)
	if err != nil {
		return err
	}
	b.Version, b.Made = *version, time.Unix(*made, 0).UTC()
	modules, err := Linked(ctx, *root, b.target())
	if err != nil {
		return err
	}
	text, err := SBOM(b, modules)
	if err != nil {
		return fmt.Errorf("%s: %w", *binary, err)
	}
	if *file == "" {
		_, err = out.Write(text)
		return err
	}
	return os.WriteFile(*file, text, 0o666)
}

// ReadBinary reads what the go command has left in a program about its making.
func ReadBinary(name string) (*Binary, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Binary{Info: info, SHA256: sha256.Sum256(data)}, nil
}

// setting is one of those that the binary was built with, "" if it is not known.
func (b *Binary) setting(key string) string {
	for _, s := range b.Info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// target is the system and processor that the binary is for.
func (b *Binary) target() string { return b.setting("GOOS") + "/" + b.setting("GOARCH") }

// SBOM is the bill of materials of a binary, as JSON of CycloneDX 1.6, from its modules as the checkout has them: what they are called,
// which version and checksum, under which licences, and which needs which. The same binary gives the same bytes. A binary that
// was built from other modules than these is an error.
func SBOM(b *Binary, modules []Module) ([]byte, error) {
	if err := b.match(modules); err != nil {
		return nil, err
	}
	licensed, err := License(modules)
	if err != nil {
		return nil, err
	}
	bom := cdx.NewBOM()
	bom.SerialNumber = serial(b.SHA256)
	self := cdx.Component{
		BOMRef: b.url(), Type: cdx.ComponentTypeApplication, Name: "coterie", Version: b.Version, PackageURL: b.url(),
		Hashes:   &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: fmt.Sprintf("%x", b.SHA256)}},
		Licenses: licences([]string{"Apache-2.0"}), Properties: b.properties(),
	}
	bom.Metadata = &cdx.Metadata{Component: &self}
	if b.Made.Unix() > 0 {
		bom.Metadata.Timestamp = b.Made.Format(time.RFC3339)
	}
	components := make([]cdx.Component, 0, len(licensed))
	for _, l := range licensed {
		c := cdx.Component{BOMRef: b.purl(l.Module), Type: cdx.ComponentTypeLibrary, Name: l.Path, Version: b.version(l.Module),
			Scope: cdx.ScopeRequired, Licenses: licences(l.IDs()), PackageURL: b.purl(l.Module)}
		if l.Sum != "" {
			c.Properties = &[]cdx.Property{{Name: "go.sum", Value: l.Sum}}
		}
		components = append(components, c)
	}
	needs := make([]cdx.Dependency, 0, len(modules))
	refs := make(map[string]string, len(modules))
	for _, m := range modules {
		refs[m.Path] = b.purl(m)
	}
	for _, m := range modules {
		on := make([]string, 0, len(m.Needs))
		for _, path := range m.Needs {
			on = append(on, refs[path])
		}
		needs = append(needs, cdx.Dependency{Ref: refs[m.Path], Dependencies: &on})
	}
	bom.Components, bom.Dependencies = &components, &needs
	var text bytes.Buffer
	encoder := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	if err := encoder.EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// serial is a name for the bill in the form of a UUID of version 8, made from the digest of the binary: each binary has its own, and
// always the same.
func serial(digest [sha256.Size]byte) string {
	id := digest[:16]
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], []byte{0x80 | id[6]&0x0f, id[7]}, []byte{0x80 | id[8]&0x3f, id[9]}, id[10:])
}

// match says how the modules of the binary differ from those given.
func (b *Binary) match(modules []Module) error {
	have := make(map[string]bool)
	for _, dep := range b.Info.Deps {
		have[dep.Path+" "+dep.Version] = true
		if dep.Replace != nil {
			return fmt.Errorf("module %s was replaced when it was built", dep.Path)
		}
	}
	var wrong []string
	for _, m := range modules {
		key := m.Path + " " + m.Version
		if !m.Own && m.Path != std && !have[key] {
			wrong = append(wrong, "it has no "+key)
		}
		delete(have, key)
	}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		wrong = append(wrong, "it has "+key)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("it was not built from this checkout: %s", strings.Join(wrong, ", "))
	}
	return nil
}

// properties are how the binary was built: what of it changes the machine code, and the Go that did it.
func (b *Binary) properties() *[]cdx.Property {
	all := []cdx.Property{{Name: "go", Value: b.Info.GoVersion}}
	for _, s := range b.Info.Settings {
		if slices.Contains([]string{"-tags", "-trimpath", "CGO_ENABLED", "GOOS", "GOARCH", "GOAMD64", "GOARM64"}, s.Key) {
			all = append(all, cdx.Property{Name: "go:" + s.Key, Value: s.Value})
		}
	}
	return &all
}

// version is that of a module; that of the standard library is that of Go.
func (b *Binary) version(m Module) string {
	switch {
	case m.Own:
		return b.Version
	case m.Path == std:
		return strings.TrimPrefix(b.Info.GoVersion, "go")
	}
	return m.Version
}

// purl is the name of a module among all packages of the world.
func (b *Binary) purl(m Module) string {
	if m.Own {
		return b.url()
	}
	return "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(b.version(m), "+", "%2B")
}

// url is the name of the binary among all packages of the world.
func (b *Binary) url() string {
	name := "pkg:golang/" + b.Info.Main.Path
	if b.Version != "" {
		name += "@v" + strings.ReplaceAll(b.Version, "+", "%2B")
	}
	return name + "?goarch=" + b.setting("GOARCH") + "&goos=" + b.setting("GOOS") + "#cmd/coterie"
}

// licences are SPDX names as CycloneDX has them.
func licences(ids []string) *cdx.Licenses {
	all := make(cdx.Licenses, 0, len(ids))
	for _, id := range ids {
		all = append(all, cdx.LicenseChoice{License: &cdx.License{ID: id}})
	}
	return &all
}
