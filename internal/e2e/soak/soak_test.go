//go:build linux

package soak

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// COTERIE_SOAK=1h is for how long; COTERIE_SOAK_OUT is a folder for the samples, the graph and the account, COTERIE_SOAK_SEED
// another order of acts, COTERIE_SOAK_BINARY a program that has been built already, such as one with the race detector.
// make soak sets the first two.
func TestTheClusterEndures(t *testing.T) {
	asked := os.Getenv("COTERIE_SOAK")
	if asked == "" {
		t.Skip("set COTERIE_SOAK=1h, or call make soak")
	}
	duration, err := time.ParseDuration(asked)
	if err != nil {
		t.Fatal(err)
	}
	folder, out := t.TempDir(), os.Getenv("COTERIE_SOAK_OUT")
	if out == "" {
		out = t.TempDir()
	}
	binary := os.Getenv("COTERIE_SOAK_BINARY")
	if binary == "" {
		binary = filepath.Join(folder, "coterie")
		build := exec.Command("go", "build", "-o", binary, "../../../cmd/coterie")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if said, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
	}
	var seed uint64 = 1
	if s := os.Getenv("COTERIE_SOAK_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatalf("COTERIE_SOAK_SEED=%s: %v", s, err)
		}
	}
	say := func(line string) { fmt.Println(line) } // at once: an hour is long
	report, err := Run(t.Context(), Config{Binary: binary, Folder: filepath.Join(folder, "world"), Duration: duration, Seed: seed, Say: say})
	if err != nil {
		t.Fatal(err)
	}
	j := Judge(report.Rows)
	var samples bytes.Buffer
	if err := WriteRows(&samples, report.Rows); err != nil {
		t.Fatal(err)
	}
	account := Account(report, j)
	for name, data := range map[string][]byte{"soak.csv": samples.Bytes(), "soak.svg": Draw(report.Rows), "soak.txt": []byte(account)} {
		if err := os.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
			t.Error(err)
		}
	}
	t.Log("\n" + account)
	for _, p := range slices.Concat(report.Problems, j.Problems) {
		t.Error(p)
	}
	if t.Failed() {
		logs := filepath.Join(out, "logs")
		if err := errors.Join(os.RemoveAll(logs), os.CopyFS(logs, os.DirFS(filepath.Join(folder, "world", "logs")))); err != nil {
			t.Error(err)
		}
	}
}
