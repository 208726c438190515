package pipeline

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/embedded"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/coterie-project/coterie/segment"
	"github.com/coterie-project/coterie/worker"
)

// SweepRequest is a sweep over k. What it has in common with a fit means the same.
type SweepRequest struct {
	Data      Data
	Engine    Engine
	Ks        []int // ascending
	Init      string
	Runs      int // for each k
	MaxIter   int
	Tolerance float64
	Seed      uint64
	Cosine    bool
	Algorithm string
	Output    string // a page (.html), a document (.json) or a table (.csv); empty: nowhere
}

// SweepOutcome is what a sweep found.
type SweepOutcome struct {
	segment.Sweep
	Centroids []*kmeans.Centroids // by candidate: of the best run
	Intake    wire.Intake
	Seconds   float64
	Job       string // its id on a cluster; of a detached one nothing else is known yet
}

// Sweep reads the data once, fits every k, scores them and writes the output: all of it, or nothing.
func Sweep(ctx context.Context, r *SweepRequest) (*SweepOutcome, error) {
	watch := startWatch()
	site, err := openSite(ctx, &r.Data, &r.Engine)
	if err != nil {
		return nil, err
	}
	defer site.close()
	s := &sweep{request: r, site: site, source: site.source, watch: watch}
	outcome, err := s.run(ctx)
	return outcome, explain(err, site.source)
}

type sweep struct {
	request  *SweepRequest
	site     *site
	source   dataset.Source
	watch    *stopwatch
	job      string // the id on a cluster
	input    *wire.Input
	manifest *partition.Manifest
}

func (s *sweep) run(ctx context.Context) (*SweepOutcome, error) {
	r := s.request
	var err error
	if s.input, err = r.Data.input(s.source.Schema(), firstName(s.source)); err != nil {
		return nil, err
	}
	s.input.Spec.Normalize = r.Cosine
	if s.manifest, err = cut(s.source, s.input); err != nil {
		return nil, err
	}
	most := r.Ks[len(r.Ks)-1]
	if err := checkClusters(most, s.source); err != nil {
		return nil, err
	}
	options := &coordinator.FitOptions{Input: s.input, K: most, Sweep: r.Ks, Init: kmeans.Init(r.Init), Runs: r.Runs,
		MaxIterations: r.MaxIter, Tolerance: r.Tolerance, Seed: r.Seed, Algorithm: kmeans.Algorithm(r.Algorithm)}
	result, err := s.found(ctx, options)
	if err != nil {
		return nil, err
	}
	if result == nil {
		return &SweepOutcome{Job: s.job}, nil
	}
	outcome := sweepOutcome(result, s.input.Spec)
	outcome.Job = s.job
	if err := s.write(outcome, result.Bad); err != nil {
		return nil, err
	}
	outcome.Seconds = s.watch.total()
	return outcome, nil
}

// found runs the job, here or on a cluster. A detached job gives nothing.
func (s *sweep) found(ctx context.Context, o *coordinator.FitOptions) (*coordinator.SweepResult, error) {
	e := &s.request.Engine
	if e.Cluster != nil {
		return s.onCluster(ctx, o)
	}
	threads := e.threads()
	config := coordinator.Config{Manifest: s.manifest, Workers: e.Workers, Epoch: 1, Window: embedded.Window(e.Workers, threads)}
	job, program, err := coordinator.NewFit(config, *o)
	if err != nil {
		return nil, err
	}
	if err := runJob(ctx, job, e, threads, s.watch, worker.Config{Source: s.source, Manifest: s.manifest, Raw: math.MaxInt64}); err != nil {
		return nil, err
	}
	return program.Sweep(ctx, threads)
}

// onCluster submits the job and follows it.
func (s *sweep) onCluster(ctx context.Context, o *coordinator.FitOptions) (*coordinator.SweepResult, error) {
	spec, err := s.site.jobSpec(fmt.Sprintf("sweep k=%s", ranges(o.Sweep)), s.input, s.manifest, nil)
	if err != nil {
		return nil, err
	}
	spec.Fit = coordinator.FitSpec(o, nil)
	id, result, err := s.site.run(ctx, spec, nil, s.watch)
	s.job = id
	var stopped *fault.Error
	if errors.As(err, &stopped) && stopped.Kind == fault.Interrupted && stopped.Problem == "interrupted" {
		stopped.Remedy = "run it again: a sweep is shown where it is asked for, and begins anew"
	}
	if err != nil || result == nil {
		return nil, err
	}
	return coordinator.SweepResultOf(result)
}

// sweepOutcome is a result in the terms of the data, with the recommendation.
func sweepOutcome(result *coordinator.SweepResult, spec *feature.Spec) *SweepOutcome {
	o := &SweepOutcome{Intake: result.Intake}
	o.Rows, o.Columns, o.Sampled = result.Rows, result.Columns, result.Sampled
	o.Features = append(append([]string{}, spec.Numeric...), spec.Categorical...)
	for _, c := range result.Candidates {
		o.Candidates = append(o.Candidates, c.Candidate)
		o.Centroids = append(o.Centroids, c.Centroids)
	}
	o.Recommend()
	return o
}

// SweepOfJob is what a sweep that ran on a cluster has found, from what the coordinator keeps of it.
func SweepOfJob(spec *pb.JobSpec, result *pb.JobResult) (*segment.Sweep, error) {
	r, err := coordinator.SweepResultOf(result)
	if err != nil {
		return nil, err
	}
	in, err := wire.DecodeInput(spec.Input)
	if err != nil {
		return nil, err
	}
	return &sweepOutcome(r, in.Spec).Sweep, nil
}

// WriteSweep writes a sweep in the format that the path's extension names (SweepFormats), whole or not at all.
func WriteSweep(path string, s *segment.Sweep) error {
	return store.WriteFile(path, func(w io.Writer) error { return writeSweep(w, path, s) })
}

// write writes the output and the rows in quarantine, under temporary names first.
func (s *sweep) write(o *SweepOutcome, bad []wire.BadRow) error {
	r := s.request
	var pending *store.Pending
	if r.Output != "" {
		var err error
		if pending, err = store.Create(r.Output); err != nil {
			return err
		}
		defer pending.Abort()
		if err := writeSweep(pending, r.Output, &o.Sweep); err != nil {
			return fault.Failedf(err, "%s", r.Output)
		}
	}
	if r.Data.BadRowsOut != "" {
		if err := writeBadRows(r.Data.BadRowsOut, bad); err != nil {
			return err
		}
	}
	if pending != nil {
		return pending.Commit()
	}
	return nil
}

// SweepFormats are the extensions of what a sweep can be written to.
var SweepFormats = []string{".html", ".json", ".csv"}

// writeSweep writes a sweep in the format that a path's extension names.
func writeSweep(w io.Writer, path string, s *segment.Sweep) error {
	switch name := strings.ToLower(path); {
	case strings.HasSuffix(name, ".html"):
		return s.Render(w)
	case strings.HasSuffix(name, ".json"):
		data, err := json.Marshal(s)
		if err != nil {
			return err
		}
		_, err = w.Write(append(data, '\n'))
		return err
	}
	return WriteSweepTable(w, s)
}

// WriteSweepTable writes the candidates of a sweep as CSV.
func WriteSweepTable(w io.Writer, s *segment.Sweep) error {
	table := csv.NewWriter(w)
	table.Write([]string{"k", "inertia", "silhouette", "silhouette_error", "calinski_harabasz", "davies_bouldin", "stability", "smallest", "recommended"})
	for _, c := range s.Candidates {
		row := []string{strconv.Itoa(c.K)}
		for _, v := range []float64{c.Inertia, c.Silhouette, c.SilhouetteError, c.CalinskiHarabasz, c.DaviesBouldin, c.Stability} {
			row = append(row, strconv.FormatFloat(v, 'g', -1, 64))
		}
		table.Write(append(row, strconv.FormatInt(c.Smallest, 10), strconv.FormatBool(c.K == s.Recommended.K)))
	}
	table.Flush()
	return table.Error()
}

// ranges is a list of k as people write it: 2..5,8.
func ranges(ks []int) string {
	var b strings.Builder
	for i := 0; i < len(ks); {
		end := i
		for end+1 < len(ks) && ks[end+1] == ks[end]+1 {
			end++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, ks[i])
		if end > i {
			fmt.Fprintf(&b, "..%d", ks[end])
		}
		i = end + 1
	}
	return b.String()
}
