//go:build unix

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
)

// shape is a kind of job, and where its data comes from.
type shape struct {
	name string
	task task
}

// shapes are the jobs whose bits must not depend on where they run, the shorter half of them first.
func shapes(t *testing.T) []shape {
	const uniform = "synth://uniform?rows=250000&seed=3&d=32"
	csv := peopleFile(t)
	fit := func(data string, flags ...string) task {
		return append(task{"fit", data, "-k", "5", "--max-iter", "6"}, flags...)
	}
	clean := []string{"--duplicates", "first", "--missing", "drop", "--bad-rows", "quarantine"}
	return []shape{
		{"three runs of k-means||", fit(uniform, "--runs", "3")},
		{"weights, ids twice and in no order, rows dropped and set aside, from CSV", fit(csv, append(clean, "--weight", "weight")...)},
		{"labels with details", task{"assign", uniform, "--model", modelFile(t), "--detail"}},
		{"from Parquet", fit(blobsFile(t))},
		{"k-means++", fit(uniform, "--init", "k-means++", "--seed", "9")},
		{"cosine", fit(uniform, "--metric", "cosine", "--scale", "none")},
		{"quantiles and one-hot columns", fit("synth://customers?rows=300000&seed=2", "--scale", "robust", "--categorical", "gender,education",
			"--missing", "median", "--log1p", "monetary")},
		{"empty clusters", fit("synth://blobs?rows=200000&seed=1&d=8&centers=3", "-k", "40", "--init", "random", "--tol", "0")},
	}
}

func TestAnyNumberOfWorkersGivesTheSameBits(t *testing.T) {
	all := shapes(t)
	for workers, few := range map[int]bool{1: true, 2: true, 3: false, 5: true} {
		if testing.Short() && workers != 3 {
			continue
		}
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, "", workers)
			list := all
			if few || testing.Short() {
				list = all[:len(all)/2]
			}
			for _, s := range list {
				same(t, fmt.Sprintf("%s on %d workers", s.name, workers), s.task.on(c, "--min-workers", fmt.Sprint(workers)), s.task.here(t))
			}
		})
	}
}

// Whoever reads the rows, and whoever writes the labels, they are the same.
func TestItDoesNotMatterWhoReadsAndWrites(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "", 3)
	csv := peopleFile(t)
	flags := []string{"-k", "5", "--max-iter", "6", "--duplicates", "last", "--missing", "mean", "--bad-rows", "quarantine"}
	there := append(task{"fit", csv}, flags...)
	want := there.here(t)
	same(t, "read by the workers", there.on(c), want)

	here := append(task{"fit", "people.csv"}, flags...)
	run := here.begin(t, inFolder(shared(), "/dev/null"), filepath.Join(t.TempDir(), "labels.csv"), "--cluster", c.head.rpc)
	same(t, "a relative path, served by who submits", run.bits(), want)

	piped := append(task{"fit", "-"}, flags...)
	run = piped.begin(t, inFolder("/", csv), filepath.Join(t.TempDir(), "labels.csv"), "--cluster", c.head.rpc)
	same(t, "standard input", run.bits(), want)

	parts := filepath.Join(c.root, "labels.csv") + "/"
	run = there.begin(t, nil, parts, "--cluster", c.head.rpc)
	same(t, "labels in parts, written by the workers", run.bits(), want)
	if files, err := filepath.Glob(parts + "part-*"); err != nil || len(files) < 2 {
		t.Errorf("got the parts %v (%v), want some", files, err)
	}

	outside := filepath.Join(t.TempDir(), "elsewhere.csv")
	copyFile(t, csv, outside)
	run = append(task{"fit", outside}, flags...).begin(t, nil, filepath.Join(t.TempDir(), "labels.csv"), "--cluster", c.head.rpc)
	same(t, "an absolute path outside of all roots, served by who submits", run.bits(), want)
}
