package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/spf13/cobra"
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
	Submitted  string  `json:"submitted"`
	Ended      string  `json:"ended,omitempty"`
	Digest     string  `json:"digest,omitempty"` // of a fit that is done, where the job is shown
	Model      string  `json:"model,omitempty"`
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
		Submitted: time.UnixMilli(j.SubmittedUnixMillis).UTC().Format(time.RFC3339)}
	if j.EndedUnixMillis > 0 {
		d.Ended = time.UnixMilli(j.EndedUnixMillis).UTC().Format(time.RFC3339)
	}
	return d
}

func writeJobs(w io.Writer, list []*pb.JobInfo) {
	fmt.Fprintf(w, "%d jobs\n", len(list))
	for _, j := range list {
		writeJob(w, j)
	}
}

func writeJob(w io.Writer, j *pb.JobInfo) {
	fmt.Fprintf(w, "  %-18s %-9s %-8s iteration %-4d %s\n", j.Id, j.State, j.Phase, j.Iteration, j.Name)
	if j.Reason != "" {
		fmt.Fprintf(w, "  %-18s %s\n", "", j.Reason)
	}
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
		newJobsDoCommand(app, "cancel", "End a job; its last checkpoint stays", func(ctx context.Context, jobs pb.JobsClient, id string) error {
			_, err := jobs.Cancel(ctx, &pb.CancelRequest{Job: id})
			return err
		}),
		newJobsDoCommand(app, "resume", "Let a cancelled or failed job go on from its last checkpoint", func(ctx context.Context, jobs pb.JobsClient, id string) error {
			_, err := jobs.Resume(ctx, &pb.ResumeRequest{Job: id})
			return err
		}))
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
				return app.answer(asJSON, doc, func(w io.Writer) { writeJobs(w, reply.Jobs) })
			})
		},
	}
	c.bind(cmd, "the coordinator's `HOST:PORT`")
	addJSON(cmd, &asJSON)
	require(cmd, "cluster")
	return cmd
}

// newJobsDoCommand does something to one job and shows it.
func newJobsDoCommand(app *App, name, short string, do func(context.Context, pb.JobsClient, string) error) *cobra.Command {
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
				return app.answer(asJSON, jobDocumentOf(reply.Info), func(w io.Writer) { writeJob(w, reply.Info) })
			})
		},
	}
	c.bind(cmd, "the coordinator's `HOST:PORT`")
	addJSON(cmd, &asJSON)
	require(cmd, "cluster")
	return cmd
}

func newJobsShowCommand(app *App) *cobra.Command {
	var c clusterFlags
	var asJSON bool
	var output string
	cmd := &cobra.Command{
		Use:   "show JOB --cluster HOST:PORT",
		Short: "Show a job, and write the model of one that is done",
		Args:  exactArgs("JOB"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "" {
				if err := checkOutput("-o", output, ".json"); err != nil {
					return err
				}
			}
			return c.ask(cmd.Context(), func(ctx context.Context, jobs pb.JobsClient) error {
				return showJob(ctx, app, jobs, args[0], output, asJSON)
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "where the model of a fit goes: `FILE`.json")
	c.bind(cmd, "the coordinator's `HOST:PORT`")
	addJSON(cmd, &asJSON)
	require(cmd, "cluster")
	return cmd
}

func showJob(ctx context.Context, app *App, jobs pb.JobsClient, id, output string, asJSON bool) error {
	reply, err := jobs.Show(ctx, &pb.ShowRequest{Job: id})
	if err != nil {
		return err
	}
	doc := jobDocumentOf(reply.Info)
	table := ""
	switch {
	case reply.Info.State == "done" && reply.Fit:
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
		doc.Digest, table = m.Digest(), pipeline.ModelTable(m)
		if output != "" {
			if err := pipeline.WriteModel(output, m); err != nil {
				return err
			}
			doc.Model = output
		}
	case output != "":
		return fault.Failedf(errors.New(reply.Info.State), "job %s has no model", id).Do("coterie jobs list shows how far jobs are")
	}
	return app.answer(asJSON, doc, func(w io.Writer) {
		writeJob(w, reply.Info)
		fmt.Fprint(w, table)
		if doc.Digest != "" {
			fmt.Fprintf(w, "digest  %s\n", doc.Digest)
		}
		if doc.Model != "" {
			fmt.Fprintf(w, "model   %s\n", doc.Model)
		}
	})
}
