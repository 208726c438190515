package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/model"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/coterie-project/coterie/segment"
)

// jobDocument is a job in --json.
type jobDocument struct {
	ID         string  `json:"id"`
	State      string  `json:"state"`
	Phase      string  `json:"phase"`
	Iteration  uint32  `json:"iteration"`
	Name       string  `json:"name"`
	Run        uint32  `json:"run"`
	Inertia    float64 `json:"inertia"`
	Reason     string  `json:"reason,omitempty"`
	Rows       int64   `json:"rows"`
	Partitions uint32  `json:"partitions"`
	Reassigned uint32  `json:"reassigned"`
	Speculated uint32  `json:"speculated"`
	Refused    uint32  `json:"refused"`
	Detached   bool    `json:"detached"`
	Submitted  string  `json:"submitted"`
	Ended      string  `json:"ended,omitempty"`
	Digest     string  `json:"digest,omitempty"` // of a fit that is done, where the job is shown
	Model      string  `json:"model,omitempty"`

	Sweep  *segment.Sweep `json:"sweep,omitempty"` // of a sweep that is done, where the job is shown
	Output string         `json:"output,omitempty"`
}

func jobDocuments(list []*pb.JobInfo) []jobDocument {
	docs := []jobDocument{}
	for _, j := range list {
		docs = append(docs, jobDocumentOf(j))
	}
	return docs
}

func jobDocumentOf(j *pb.JobInfo) jobDocument {
	d := jobDocument{ID: j.Id, State: j.State, Phase: j.Phase, Iteration: j.Iteration, Name: j.Name, Run: j.Run, Inertia: j.Inertia,
		Reason: j.Reason, Rows: j.Rows, Partitions: j.Partitions, Reassigned: j.Reassigned, Speculated: j.Speculated, Refused: j.Refused,
		Detached: j.Detached, Submitted: time.UnixMilli(j.SubmittedUnixMillis).UTC().Format(time.RFC3339)}
	if j.EndedUnixMillis > 0 {
		d.Ended = time.UnixMilli(j.EndedUnixMillis).UTC().Format(time.RFC3339)
	}
	return d
}

// jobIsOver says whether a job does nothing any more unless it is resumed.
func jobIsOver(j *pb.JobInfo) bool {
	return j.State == "done" || j.State == "failed" || j.State == "cancelled"
}

// newJobsCommand is coterie jobs with its subcommands.
func newJobsCommand(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "jobs list|show|cancel|resume",
		Short: "List, show, cancel and resume the jobs of a cluster",
		Args:  noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return fault.Usagef("%s needs one of list, show, cancel and resume", cmd.CommandPath()).Do("usage: %s", cmd.UseLine())
		},
	}
	cmd.AddCommand(newJobsListCommand(app), newJobsShowCommand(app),
		newJobsDoCommand(app, "cancel", "End a job; its last checkpoint stays", cancelJob, func(j *pb.JobInfo) bool { return !jobIsOver(j) }),
		newJobsDoCommand(app, "resume", "Let a cancelled or failed job go on from its last checkpoint", resumeJob,
			func(j *pb.JobInfo) bool { return j.State == "failed" || j.State == "cancelled" }))
	for _, c := range cmd.Commands() {
		c.Flags().SortFlags = false
	}
	return cmd
}

func newJobsListCommand(app *App) *cobra.Command {
	var c clusterFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list --cluster HOST:PORT",
		Short: "List the jobs of a cluster",
		Args:  exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.ask(cmd.Context(), func(ctx context.Context, jobs pb.JobsClient) error {
				reply, err := jobs.List(ctx, &pb.ListRequest{})
				if err != nil {
					return err
				}
				doc := struct {
					Jobs []jobDocument `json:"jobs"`
				}{jobDocuments(reply.Jobs)}
				return app.answer(asJSON, doc, func(w io.Writer) { writeJobs(w, reply.Jobs, c.address, time.Now(), app.width()) })
			})
		},
	}
	c.bindRequired(cmd)
	addJSON(cmd, &asJSON)
	return cmd
}

// newJobsDoCommand does something to one job and shows it. A shell completes the ids of jobs that it can be done to.
func newJobsDoCommand(app *App, name, short string, do func(context.Context, pb.JobsClient, string) error, which func(*pb.JobInfo) bool) *cobra.Command {
	var c clusterFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   name + " JOB --cluster HOST:PORT",
		Short: short,
		Args:  exactArgs("JOB"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ask(cmd.Context(), func(ctx context.Context, jobs pb.JobsClient) error {
				if err := do(ctx, jobs, args[0]); err != nil {
					return err
				}
				reply, err := jobs.Show(ctx, &pb.ShowRequest{Job: args[0]})
				if err != nil {
					return err
				}
				return app.answer(asJSON, jobDocumentOf(reply.Info), func(w io.Writer) {
					writeJob(w, reply.Info, jobNext(reply, c.address), time.Now())
				})
			})
		},
	}
	c.bindRequired(cmd)
	addJSON(cmd, &asJSON)
	cmd.ValidArgsFunction = c.completeJobs(app, which)
	return cmd
}

// How long cancel waits for the job to end, and how often it looks. A job ends between two rounds, or in one of them.
const (
	cancelWait = 5 * time.Second
	cancelLook = 50 * time.Millisecond
)

// cancelJob asks for a job's end, and waits for it a while.
func cancelJob(ctx context.Context, jobs pb.JobsClient, id string) error {
	if _, err := jobs.Cancel(ctx, &pb.CancelRequest{Job: id}); err != nil {
		return err
	}
	for end := time.Now().Add(cancelWait); time.Now().Before(end); {
		reply, err := jobs.Show(ctx, &pb.ShowRequest{Job: id})
		if err != nil || jobIsOver(reply.Info) {
			return err
		}
		select {
		case <-time.After(cancelLook):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func resumeJob(ctx context.Context, jobs pb.JobsClient, id string) error {
	_, err := jobs.Resume(ctx, &pb.ResumeRequest{Job: id})
	return err
}

// jobsShowFlags are those of coterie jobs show.
type jobsShowFlags struct {
	clusterFlags
	output string
	json   bool
}

func newJobsShowCommand(app *App) *cobra.Command {
	f := &jobsShowFlags{}
	cmd := &cobra.Command{
		Use:     "show JOB --cluster HOST:PORT",
		Short:   "Show a job, and write what a fit or a sweep that is done has found",
		Example: "  coterie jobs show job-kuopx4kocfbs4 --cluster 127.0.0.1:7600 -o model.json",
		Args:    exactArgs("JOB"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("output") {
				if err := checkOutput("-o", f.output, pipeline.SweepFormats...); err != nil {
					return err
				}
			}
			return f.ask(cmd.Context(), func(ctx context.Context, jobs pb.JobsClient) error { return f.show(ctx, app, jobs, args[0]) })
		},
	}
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "where the model of a fit goes: `FILE`.json; or of a sweep: .html, .json or .csv")
	f.bindRequired(cmd)
	addJSON(cmd, &f.json)
	cmd.ValidArgsFunction = f.completeJobs(app, func(*pb.JobInfo) bool { return true })
	return cmd
}

func (f *jobsShowFlags) show(ctx context.Context, app *App, jobs pb.JobsClient, id string) error {
	reply, err := jobs.Show(ctx, &pb.ShowRequest{Job: id})
	if err != nil {
		return err
	}
	doc := jobDocumentOf(reply.Info)
	table := ""
	switch {
	case reply.Info.State == "done" && reply.Sweep:
		return f.showSweep(ctx, app, jobs, reply)
	case reply.Info.State == "done" && reply.Fit:
		if f.output != "" {
			if err := checkOutput("-o", f.output, ".json"); err != nil {
				return err
			}
		}
		spec, err := pipeline.FetchSpec(ctx, jobs, id)
		if err != nil {
			return err
		}
		result, err := pipeline.FetchResult(ctx, jobs, id)
		if err != nil {
			return err
		}
		m, err := pipeline.ModelOfJob(spec, result, version())
		if err != nil {
			return err
		}
		doc.Digest, table = m.Digest(), pipeline.ModelTable(m, app.width())
		if f.output != "" {
			if err := model.WriteFile(f.output, m); err != nil {
				return err
			}
			doc.Model = f.output
		}
	case f.output != "":
		return noModel(reply, f.address)
	}
	next := jobNext(reply, f.address)
	if doc.Model != "" {
		next = "" // it is done
	}
	return app.answer(f.json, doc, func(w io.Writer) {
		writeJob(w, reply.Info, next, time.Now())
		writeJobModel(w, &doc, table)
	})
}

// showSweep shows a sweep that is done.
func (f *jobsShowFlags) showSweep(ctx context.Context, app *App, jobs pb.JobsClient, reply *pb.ShowReply) error {
	doc := jobDocumentOf(reply.Info)
	spec, err := pipeline.FetchSpec(ctx, jobs, reply.Info.Id)
	if err != nil {
		return err
	}
	result, err := pipeline.FetchResult(ctx, jobs, reply.Info.Id)
	if err != nil {
		return err
	}
	if doc.Sweep, err = pipeline.SweepOfJob(spec, result); err != nil {
		return err
	}
	if f.output != "" {
		if err := checkStdout(f.json, f.output); err != nil {
			return err
		}
		if f.output == stdio {
			return app.sweepTable(doc.Sweep)
		}
		if err := pipeline.WriteSweep(f.output, doc.Sweep); err != nil {
			return err
		}
		doc.Output = f.output
	}
	return app.answer(f.json, doc, func(w io.Writer) {
		writeJob(w, reply.Info, "", time.Now())
		fmt.Fprintln(w)
		writeSweep(w, doc.Sweep, app.width())
		if doc.Output != "" {
			fmt.Fprintf(w, "output  %s\n", doc.Output)
		}
	})
}

// noModel says why a job has no model to be written.
func noModel(reply *pb.ShowReply, address string) error {
	j, noun := reply.Info, "model"
	if reply.Sweep {
		noun = "result"
	}
	switch {
	case !reply.Fit && !reply.Sweep:
		return fault.Failedf(nil, "-o: job %s is %q, which makes no model", j.Id, j.Name).Do("leave -o out; its labels lie where it was told to write them")
	case j.State == "failed" || j.State == "cancelled":
		return fault.Failedf(nil, "-o: job %s has no %s: it is %s: %s", j.Id, noun, j.State, cmp.Or(j.Reason, "no reason is known")).
			Do("coterie jobs resume %s --cluster %s lets it go on", j.Id, address)
	}
	return fault.Failedf(nil, "-o: job %s has no %s yet: it is %s", j.Id, noun, j.State).
		Do("coterie jobs show %s --cluster %s says how far it is; ask again once it is done", j.Id, address)
}
