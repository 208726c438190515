package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// writeJobs shows jobs to people, the newest last.
func writeJobs(w io.Writer, list []*pb.JobInfo, address string, now time.Time, width int) {
	if len(list) == 0 {
		fmt.Fprintf(w, "no jobs yet: coterie fit DATA -k K -o model.json --cluster %s\n", address)
		return
	}
	g := newGrid(4, "job", "state", "progress", "since", "what")
	for _, j := range list {
		g.add(j.Id, j.State, jobProgress(j), jobSince(j, now), j.Name)
		if j.Reason != "" {
			g.note(j.Reason)
		}
	}
	g.write(w, width)
}

// jobProgress is how far a job is, in two or three words.
func jobProgress(j *pb.JobInfo) string {
	switch {
	case j.State == "queued" || j.Phase == "":
		return "not begun"
	case j.State == "done" && j.Iteration > 0:
		return counted(int64(j.Iteration), "iteration", "iterations")
	case j.State == "done":
		return counted(j.Rows, "row", "rows")
	case j.Iteration > 0:
		return fmt.Sprintf("%s %d", j.Phase, j.Iteration)
	}
	return j.Phase
}

// jobSince is when a job has ended, or was submitted.
func jobSince(j *pb.JobInfo, now time.Time) string {
	if j.EndedUnixMillis > 0 {
		return ago(time.UnixMilli(j.EndedUnixMillis), now)
	}
	return ago(time.UnixMilli(j.SubmittedUnixMillis), now)
}

// writeJob shows all that is known of a job. next is the command that one may want next; it may be empty.
func writeJob(w io.Writer, j *pb.JobInfo, next string, now time.Time) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-11s%s\n", name, visible(fmt.Sprintf(format, args...)))
	}
	line("job", "%s", j.Id)
	line("what", "%s", j.Name)
	if j.Reason != "" {
		line("state", "%s: %s", j.State, j.Reason)
	} else {
		line("state", "%s", j.State)
	}
	line("rows", "%s in %s", grouped(j.Rows), counted(int64(j.Partitions), "partition", "partitions"))
	if j.Phase != "" {
		line("phase", "%s", jobPhase(j))
	}
	if j.Iteration > 0 {
		line("inertia", "%.6g", j.Inertia)
	}
	line("workers", "%s", jobTroubles(j))
	submitted := time.UnixMilli(j.SubmittedUnixMillis)
	line("submitted", "%s, %s", submitted.UTC().Format("2006-01-02 15:04:05 UTC"), ago(submitted, now))
	if j.EndedUnixMillis > 0 {
		ended := time.UnixMilli(j.EndedUnixMillis)
		line("ended", "%s, %s; it took %s", ended.UTC().Format("2006-01-02 15:04:05 UTC"), ago(ended, now), lasting(ended.Sub(submitted)))
	}
	if next != "" {
		line("next", "%s", next)
	}
}

// jobPhase is where a job is, in words.
func jobPhase(j *pb.JobInfo) string {
	if j.State == "done" {
		if j.Iteration == 0 {
			return "finished"
		}
		return "finished after " + counted(int64(j.Iteration), "iteration", "iterations")
	}
	words := j.Phase
	if j.Iteration > 0 {
		words += fmt.Sprintf(", iteration %d", j.Iteration)
	}
	if j.Run > 0 {
		words += fmt.Sprintf(" of run %d", j.Run+1)
	}
	if jobIsOver(j) {
		words = "stopped in " + words
	}
	return words
}

// jobTroubles says what the workers of a job went through.
func jobTroubles(j *pb.JobInfo) string {
	var parts []string
	if n := j.Reassigned; n > 0 {
		parts = append(parts, counted(int64(n), "partition", "partitions")+" of lost workers went to others")
	}
	if n := j.Speculated; n > 0 {
		parts = append(parts, counted(int64(n), "partition", "partitions")+" of slow workers also went to others")
	}
	if n := j.Refused; n > 0 {
		why := " not counted, being late or a second one"
		if j.Trouble != "" {
			why = " not counted, being late, a second one or of a worker that failed (the first: " + j.Trouble + ")"
		}
		parts = append(parts, counted(int64(n), "answer", "answers")+why)
	}
	if parts == nil {
		return "none lost, none slow"
	}
	return strings.Join(parts, "; ")
}

// jobNext is the command that one may want next.
func jobNext(reply *pb.ShowReply, address string) string {
	j := reply.Info
	switch {
	case j.State == "failed" || j.State == "cancelled":
		return fmt.Sprintf("coterie jobs resume %s --cluster %s goes on from the last checkpoint", j.Id, address)
	case j.State == "done" && reply.Sweep:
		return fmt.Sprintf("coterie jobs show %s --cluster %s shows what it found; -o FILE.html makes a page", j.Id, address)
	case j.State == "done" && reply.Fit:
		return fmt.Sprintf("coterie jobs show %s --cluster %s -o model.json writes the model", j.Id, address)
	}
	return ""
}

// writeJobModel shows the model of a fit that is done.
func writeJobModel(w io.Writer, doc *jobDocument, table string) {
	if doc.Digest == "" {
		return
	}
	fmt.Fprintf(w, "\n%s", table)
	if doc.Model != "" {
		fmt.Fprintf(w, "model   %s\n", doc.Model)
	}
	fmt.Fprintf(w, "digest  %s\n", doc.Digest)
}

// completeWait is how long a shell that completes a job's id waits for the coordinator.
const completeWait = time.Second

// completeJobs lets a shell complete the ids of jobs, of those that which accepts. Whatever goes wrong, it completes
// nothing: a shell has nowhere to show an error.
func (c *clusterFlags) completeJobs(app *App, which func(*pb.JobInfo) bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 || app.settle(cmd) != nil || c.address == "" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWait)
		defer cancel()
		var ids []string
		err := c.ask(ctx, func(ctx context.Context, jobs pb.JobsClient) error {
			reply, err := jobs.List(ctx, &pb.ListRequest{})
			for _, j := range reply.GetJobs() {
				if which(j) {
					ids = append(ids, cobra.CompletionWithDesc(j.Id, visible(j.State+": "+j.Name)))
				}
			}
			return err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}
