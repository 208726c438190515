package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/internal/store"
)

// tables are the extensions of files that hold rows.
var tables = []string{".csv", ".csv.gz", ".csv.zst", ".parquet", ".npy"}

// stdio is the path that stands for standard input or output.
const stdio = "-"

// checkOutput is done before any work: the path given with flag must end in one of formats (or be "-" where they
// include .csv), and its folder, or its bucket, must be there.
func checkOutput(flag, path string, formats ...string) error {
	if path == stdio {
		if !slices.Contains(formats, ".csv") {
			return fault.Usagef("%s: %q: this result cannot go to standard output", flag, path).Do("give a file name")
		}
		return nil
	}
	name := strings.ToLower(filepath.Base(path))
	known := slices.ContainsFunc(formats, func(ext string) bool {
		return strings.HasSuffix(name, ext) && name != ext
	})
	if !known {
		return fault.Usagef("%s: %q has no known extension", flag, path).Do("use one of %s", strings.Join(formats, ", "))
	}
	if object.Is(path) {
		return store.Check(path)
	}
	folder := filepath.Dir(path)
	info, err := os.Stat(folder)
	switch {
	case os.IsNotExist(err):
		return fault.Failedf(nil, "%s %s: the folder %s does not exist", flag, path, folder).Do("make it first: mkdir -p %s", folder)
	case err != nil:
		return fault.Failedf(err, "%s %s", flag, path)
	case !info.IsDir():
		return fault.Failedf(nil, "%s %s: %s is not a folder", flag, path, folder)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fault.Failedf(nil, "%s %s: this is a folder", flag, path).Do("give the name of a file")
	}
	return nil
}

// addJSON gives a command the flag --json.
func addJSON(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "json", false, "print the result as one JSON document on standard output")
}

// checkStdout refuses two results on standard output, and two in the same file. An empty path is no output.
func checkStdout(asJSON bool, outputs ...string) error {
	taken := make(map[string]bool)
	for _, path := range outputs {
		switch {
		case path == "":
			continue
		case path == stdio && asJSON:
			return fault.Usagef("--json and an output of %q both want standard output", stdio).Do("write to a file")
		case taken[filepath.Clean(path)] && path == stdio:
			return fault.Usagef("two outputs of %q both want standard output", stdio).Do("write one to a file")
		case taken[filepath.Clean(path)]:
			return fault.Usagef("two outputs want the file %q", path).Do("give each its own")
		}
		taken[filepath.Clean(path)] = true
	}
	return nil
}

// answer prints what a command found: document as JSON where that was asked for, else what text writes.
func (app *App) answer(asJSON bool, document any, text func(io.Writer)) error {
	var out strings.Builder
	if asJSON {
		data, err := json.Marshal(document)
		if err != nil {
			return fault.Failedf(err, "the result cannot be written as JSON")
		}
		out.Write(data)
		out.WriteByte('\n')
	} else {
		var said strings.Builder
		text(&said)
		out.WriteString(harmless(said.String()))
	}
	if _, err := io.WriteString(app.Stdout, out.String()); err != nil {
		return fault.Failedf(err, "standard output")
	}
	return nil
}

// grouped renders a count with thousands apart: 1,234,567.
func grouped(n int64) string { return progress.Count(n) }

// checkNotInput refuses an output that would replace a file that is read.
func checkNotInput(flag, path string, inputs ...string) error {
	if object.Is(path) && slices.Contains(inputs, path) {
		return fault.Usagef("%s: %q is also read by this command", flag, path).Do("give another name")
	}
	out, err := os.Stat(path)
	if path == stdio || path == "" || err != nil {
		return nil // nothing is there to be replaced
	}
	for _, input := range inputs {
		if in, err := os.Stat(input); err == nil && os.SameFile(in, out) && in.Mode().IsRegular() {
			return fault.Usagef("%s: %q is also read by this command", flag, path).Do("give another file name")
		}
	}
	return nil
}
