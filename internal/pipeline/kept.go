package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/remote"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// keptFit is the name under which a folder of checkpoints holds its one fit.
const keptFit = "fit"

// kept is where an embedded fit keeps its checkpoints, and what it goes on from.
type kept struct {
	folder   string
	store    *checkpoint.Store
	note     func(string)
	state    *coordinator.FitState // of an earlier process; nil: from the beginning
	sequence uint64                // of the newest checkpoint that stands; 0: none does
	done     bool                  // the fit is over: nothing is to be kept
	lost     bool                  // another fit has taken the folder over
}

// keep opens the folder for a fit. Where one is resumed, it must be the same fit.
func (f *fit) keep(o *coordinator.FitOptions, start *coordinator.Start) (*kept, error) {
	r := f.request
	if r.Checkpoint == "" {
		return nil, nil
	}
	spec, err := f.identity(o, start)
	if err != nil {
		return nil, err
	}
	store, err := checkpoint.Open(r.Checkpoint, checkpoint.Options{Owner: checkpoint.Fit})
	if errors.Is(err, checkpoint.ErrLocked) {
		return nil, fault.Failedf(err, "--checkpoint: %s is in use", r.Checkpoint).Do("wait for the other process, or give each fit a folder of its own")
	}
	if err != nil {
		return nil, err
	}
	k := &kept{folder: r.Checkpoint, store: store, note: r.Engine.Reporter.Note}
	if err := k.begin(spec, r.Resume); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return k, nil
}

// identity is what makes a fit the same fit: its data, what is read of them and how, and every setting that the result
// depends on. How many workers, threads and bytes it has may be others after it was interrupted.
func (f *fit) identity(o *coordinator.FitOptions, start *coordinator.Start) (*pb.JobSpec, error) {
	input, err := wire.EncodeInput(f.input)
	if err != nil {
		return nil, err
	}
	spec := &pb.JobSpec{Protocol: wire.Protocol, Name: kmeans.Arithmetic, Input: input, Fit: coordinator.FitSpec(o, start),
		Data: &pb.DataSpec{Files: f.request.Data.Files, Pins: remote.Pins(f.source)}}
	spec.Fit.Algorithm = "" // all give the same bits
	coordinator.SetManifest(spec, f.manifest)
	return spec, nil
}

// begin looks at what the folder holds, and makes a place for the fit or takes up the one that there is.
func (k *kept) begin(spec *pb.JobSpec, resume bool) error {
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(spec)
	if err != nil {
		return err
	}
	jobs, err := k.store.Jobs()
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if job.ID != keptFit {
			return fault.Usagef("--checkpoint: %s holds the state of a coordinator", k.folder).Do("give a folder of its own")
		}
	}
	if len(jobs) > 0 {
		before := jobs[0]
		data, sequence, skipped, err := k.store.Load(keptFit)
		none := errors.Is(err, checkpoint.ErrNone) && len(skipped) == 0
		switch {
		case !none && !resume:
			return fault.Usagef("--checkpoint: %s holds checkpoints of a fit that has not ended", k.folder).
				Do("add --resume to go on from them, or remove the folder to begin anew")
		case !none:
			return k.takeUp(before, spec, data, sequence, skipped, err)
		}
		if err := k.store.Remove(keptFit); err != nil { // of a fit that had not come to its first one
			return err
		}
	}
	if resume {
		k.note(fmt.Sprintf("no checkpoint in %s: the fit begins at its beginning", k.folder))
	}
	return k.store.Create(keptFit, encoded, []byte("a fit of one process"))
}

// takeUp makes the newest checkpoint that is whole what the fit goes on from.
func (k *kept) takeUp(before checkpoint.Job, spec *pb.JobSpec, data []byte, sequence uint64, skipped []error, err error) error {
	remedy := fmt.Sprintf("remove %s to begin anew", k.folder)
	if before.Spec == nil {
		return fault.Failedf(before.Err, "--resume: what %s says of its fit cannot be used", k.folder).Do("%s", remedy)
	}
	then := &pb.JobSpec{}
	if err := proto.Unmarshal(before.Spec, then); err != nil {
		return fault.Failedf(err, "--resume: what %s says of its fit cannot be used", k.folder).Do("%s", remedy)
	}
	if err := sameFit(then, spec, k.folder); err != nil {
		return err
	}
	for _, s := range skipped {
		k.note(s.Error())
	}
	if err != nil {
		return fault.Failedf(err, "--resume: no checkpoint in %s can be used", k.folder).Do("%s", remedy)
	}
	if k.state, err = coordinator.DecodeState(data); err != nil {
		return fault.Failedf(err, "--resume: checkpoint %d in %s cannot be used", sequence, k.folder).Do("%s", remedy)
	}
	k.sequence = sequence
	k.note(fmt.Sprintf("resumed from checkpoint %d", sequence))
	return nil
}

// sameFit says what about a fit is not as it was when it was interrupted; nil if it is the same one.
func sameFit(then, now *pb.JobSpec, folder string) error {
	a, b := then.GetFit(), now.GetFit()
	if a == nil {
		a = &pb.FitSpec{}
	}
	if then.Protocol != now.Protocol || then.Name != now.Name {
		return fault.Failedf(nil, "--resume: the checkpoints in %s are of another version of coterie", folder).
			Do("use that version, or remove the folder to begin anew")
	}
	for _, d := range []struct {
		flag      string
		then, now any
	}{
		{"DATA", then.GetData().GetFiles(), now.Data.Files}, {"-k", a.K, b.K}, {"--init", a.Init, b.Init}, {"--runs", a.Runs, b.Runs},
		{"--max-iter", a.MaxIterations, b.MaxIterations}, {"--tol", a.Tolerance, b.Tolerance}, {"--seed", a.Seed, b.Seed},
		{"--keep-transforms", a.KeepTransforms, b.KeepTransforms},
	} {
		if was, is := fmt.Sprint(d.then), fmt.Sprint(d.now); was != is {
			return fault.Usagef("--resume: %s is %s, and was %s in the fit of %s", d.flag, is, was, folder).
				Do("give the command as it was, or remove the folder to begin anew")
		}
	}
	if err := samePins(then.GetData().GetPins(), now.Data.Pins); err != nil {
		return err
	}
	other := ""
	switch {
	case then.Rows != now.Rows || !slices.Equal(then.PartitionRows, now.PartitionRows):
		other = "the rows of the data"
	case !proto.Equal(then.Input, now.Input):
		other = "the columns, or what is done to them,"
	case a.Labels != b.Labels:
		other = "whether there are --labels"
	case !proto.Equal(a.Start, b.Start):
		other = "what --init or --from holds"
	default:
		return nil
	}
	return fault.Usagef("--resume: %s differ from those of the fit in %s", other, folder).
		Do("give the command as it was, or remove the folder to begin anew")
}

// samePins refuses files that are not those of then.
func samePins(then, now []*pb.Pin) error {
	for i, p := range now {
		if i >= len(then) || !proto.Equal(then[i], p) {
			return fault.Inputf(fault.In(p.Path), "has changed since the checkpoint was written").
				Do("put it back as it was, or remove the folder of --checkpoint to begin anew")
		}
	}
	return nil
}

// keeper writes checkpoints of a fit's program; observe every action with it.
func (k *kept) keeper(program *coordinator.Fit) *coordinator.Keeper {
	failed := false
	return coordinator.NewKeeper(program, coordinator.CheckpointEvery, k.sequence,
		func(sequence uint64, state []byte) error { return k.store.Save(keptFit, sequence, state) },
		func(sequence uint64, _ int, err error) {
			switch {
			case err == nil:
				k.sequence = sequence
			case errors.Is(err, checkpoint.ErrConflict):
				k.overtaken(err)
			case !failed: // said once, until one is written again
				k.note(fmt.Sprintf("checkpoint not written, the one before it stays: %v", err))
			}
			failed = err != nil
		})
}

// overtaken notes that what the folder holds is another fit's from now on. This one goes on without.
func (k *kept) overtaken(err error) {
	if !k.lost {
		k.lost = true
		k.note(fmt.Sprintf("this fit keeps no more checkpoints: %v", err))
	}
}

// resumable is an error of a fit that can be taken up again, with how.
type resumable struct {
	error
	how string
}

func (r resumable) Error() string { return r.error.Error() + "; " + r.how }
func (r resumable) Unwrap() error { return r.error }

// ended is the error of a fit that keeps checkpoints, with how it goes on: also of one that only its outputs have stopped.
func (k *kept) ended(ctx context.Context, err error) error {
	if k == nil || err == nil || k.done || k.sequence == 0 && !k.lost || errors.Is(err, coordinator.ErrState) {
		return err
	}
	how := fmt.Sprintf("the same command with --resume goes on from checkpoint %d in %s", k.sequence, k.folder)
	if fault.Code(err) == int(fault.Gate) {
		how = fmt.Sprintf("with --resume and other gates it ends from checkpoint %d in %s", k.sequence, k.folder)
	}
	if k.lost {
		how = fmt.Sprintf("another fit has taken %s over: begin anew, each with a --checkpoint of its own", k.folder)
	}
	if ctx.Err() != nil {
		return &fault.Error{Kind: fault.Interrupted, Place: fault.Place{Row: fault.NoRow}, Problem: "interrupted", Remedy: how}
	}
	if code := fault.Kind(fault.Code(err)); code == fault.Usage || code == fault.Input {
		return err // the same command would come to the same end, if it was not refused for data that has changed
	}
	return resumable{err, how}
}

// program makes the fit's state machine, from the checkpoint that it goes on from.
func (k *kept) program(c coordinator.Config, o coordinator.FitOptions) (*coordinator.Job, *coordinator.Fit, error) {
	if k != nil {
		o.Resume = k.state
	}
	job, program, err := coordinator.NewFit(c, o)
	if errors.Is(err, coordinator.ErrState) {
		err = fault.Failedf(err, "--resume: checkpoint %d in %s cannot be used", k.sequence, k.folder).Do("remove %s to begin anew", k.folder)
	}
	return job, program, err
}

// close gives the folder back, without the fit if that is over or has kept nothing. What another has taken over stays.
func (k *kept) close() error {
	if k == nil {
		return nil
	}
	var err error
	if !k.lost && (k.done || k.sequence == 0) {
		if err = k.store.Remove(keptFit); errors.Is(err, checkpoint.ErrConflict) {
			k.overtaken(err)
			err = nil
		}
	}
	return errors.Join(err, k.store.Close())
}
