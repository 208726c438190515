package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/kmeans"
)

// release and revision are set by the linker in a build that is not made from a checkout.
var (
	release  string
	revision string
)

// versionDocument is the result of version --json.
type versionDocument struct {
	Version    string   `json:"version"`
	Commit     string   `json:"commit"`
	Go         string   `json:"go"`
	Kernel     string   `json:"kernel"`
	Kernels    []string `json:"kernels"`
	Arithmetic string   `json:"arithmetic"`
}

// version is the release, or "devel".
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return "devel"
}

// commit is the commit that the program was built from, with "+changes" where the checkout had any; "unknown" if
// the build did not record it.
func commit() string {
	if revision != "" {
		return revision
	}
	found, changed := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				found = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = "+changes"
			}
		}
	}
	return found + changed
}

// newVersionCommand is coterie version.
func newVersionCommand(app *App) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version and what this machine can do",
		Args:  exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			v := versionDocument{version(), commit(), runtime.Version(), kmeans.Tier(), kmeans.Tiers(), kmeans.Arithmetic}
			return app.answer(asJSON, v, func(w io.Writer) {
				fmt.Fprintf(w, "coterie %s\ncommit      %s\ngo          %s\nkernel      %s (of %s)\narithmetic  %s\n",
					v.Version, v.Commit, v.Go, v.Kernel, strings.Join(v.Kernels, ", "), v.Arithmetic)
			})
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}
