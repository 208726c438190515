// Kube applies the manifests of deploy/ to a real API server, with strict validation: kube FOLDER, where the folder holds etcd
// and kube-apiserver as kube-build.sh builds them. Nothing runs the pods; it is the server's word on the manifests that counts.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"

	"github.com/coterie-project/coterie/deploy/check"
	"github.com/coterie-project/coterie/deploy/check/chart"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kube FOLDER (with etcd and kube-apiserver), in deploy/check")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "kube:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, programs string) error {
	sets, err := manifests()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "coterie-kube")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	server, err := start(ctx, programs, work)
	if err != nil {
		return err
	}
	defer server.stop()
	fmt.Println("server", server.version)
	for i, set := range sets {
		namespace := fmt.Sprintf("n%d", i)
		if err := server.namespace(ctx, namespace); err != nil {
			return err
		}
		made, skipped := 0, 0
		for _, o := range set.objects {
			path, known := paths[o.Kind]
			if !known {
				skipped++ // a custom resource: the server does not have its kind
				continue
			}
			if err := server.create(ctx, fmt.Sprintf(path, namespace), o, namespace); err != nil {
				return fmt.Errorf("%s: %w", set.name, err)
			}
			made++
		}
		fmt.Printf("%-40s %2d objects accepted, %d of kinds that this server does not have\n", set.name, made, skipped)
	}
	return server.refuses(ctx)
}

// set is what is applied together.
type set struct {
	name    string
	objects []*check.Object
}

// manifests are all that deploy/ comes to: each kustomization, and the chart with each file of values.
func manifests() ([]set, error) {
	var all []set
	add := func(name string, text []byte, err error) error {
		if err != nil {
			return err
		}
		objects, err := check.Decode(text)
		all = append(all, set{name, objects})
		return err
	}
	for _, folder := range []string{"base", "overlays/production"} {
		text, err := check.Kustomize(filepath.Join("../kustomize", folder))
		if err := add("kustomize/"+folder, text, err); err != nil {
			return nil, err
		}
	}
	files, err := filepath.Glob("chart/values/*.yaml")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("chart/values: no files (%v): run it in deploy/check", err)
	}
	slices.Sort(files)
	for _, file := range files {
		values, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		text, _, err := chart.Render("../helm/coterie", values)
		if err := add("helm with "+filepath.Base(file), text, err); err != nil {
			return nil, err
		}
	}
	return all, nil
}
