package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

// objectPartNames are the names of parts below a prefix of an object store. They say whose they are, so that no job ever
// removes or replaces a part of another, however late a call of one takes effect.
var objectPartNames = regexp.MustCompile(`^part-[0-9]{6}\.[a-z0-9-]{1,64}(\.csv|\.csv\.gz|\.csv\.zst|\.parquet|\.npy)$`)

func objectPartName(partition int, job, format string) string {
	return fmt.Sprintf("part-%06d.%s%s", partition, job, format)
}

// objectTries bounds how often what another worker has written meanwhile is looked at again.
const objectTries = 8

// objectParts are the labels of a job below a prefix. The manifest is replaced as a whole, by a conditional write: until
// then readers see the labels of the job before, if there were any, and from then on these.
type objectParts struct {
	store  object.Store
	prefix object.Name // its key ends in a slash
	job    string
}

// objectsOf is the prefix of a folder named s3://bucket/prefix, within the roots unless they are nil.
func objectsOf(ctx context.Context, folder string, roots []string, job string) (*objectParts, error) {
	n, err := open.ObjectRoot(folder)
	if err == nil && roots != nil {
		n, err = open.WithinObjects(roots, folder)
	}
	if err != nil {
		return nil, err
	}
	s, err := object.Default(ctx)
	if err != nil {
		return nil, err
	}
	return &objectParts{s, n, job}, nil
}

func (p *objectParts) name(file string) object.Name {
	return object.Name{Bucket: p.prefix.Bucket, Key: p.prefix.Key + file}
}

// objectsFound is what lies below a prefix.
type objectsFound struct {
	partsFound
	manifestTag, markerTag object.Condition // for their next writer
}

// look lists the prefix. Anything there that is none of ours is an error, as in a folder.
func (p *objectParts) look(ctx context.Context) (*objectsFound, error) {
	absent := object.Condition{IfAbsent: true}
	found := &objectsFound{manifestTag: absent, markerTag: absent}
	for e, err := range p.store.List(ctx, p.prefix, "", true) {
		if err != nil {
			return nil, err
		}
		switch name := e.Name.Key[len(p.prefix.Key):]; {
		case name == "": // a marker, as consoles make for a folder
		case name == manifestName && !e.Folder:
			found.manifest = new(partsManifest)
			if found.manifestTag, err = p.readJSON(ctx, e.Info, found.manifest); err == nil {
				err = found.manifest.checkNames(p.prefix.String(), objectPartNames)
			}
		case name == markerName && !e.Folder:
			found.marker = new(marker)
			found.markerTag, err = p.readJSON(ctx, e.Info, found.marker)
		case objectPartNames.MatchString(name) && !e.Folder:
			found.parts = append(found.parts, name)
		default:
			err = atFolder(p.prefix.String(), "holds %q, which is no part of labels", name).Do("name another prefix, or one that is empty")
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (p *objectParts) readJSON(ctx context.Context, info object.Info, into any) (object.Condition, error) {
	if info.Size > maxManifest {
		return object.Condition{}, damagedParts(p.prefix.String(), info.Name.Key, fmt.Errorf("more than %d bytes", maxManifest))
	}
	data := make([]byte, info.Size)
	if err := p.store.ReadAt(ctx, info, data, 0); err != nil {
		return object.Condition{}, err
	}
	if err := json.Unmarshal(data, into); err != nil {
		e := atFolder(info.Name.String(), "is damaged").Do("remove it, or name another prefix")
		e.Err = err
		return object.Condition{}, e
	}
	return object.Condition{IfMatch: info.ETag}, nil
}

// writeJSON writes an object if the condition holds. object.ErrChanged asks for another look.
func (p *objectParts) writeJSON(ctx context.Context, file string, value any, c object.Condition) error {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetIndent("", " ")
	if err := e.Encode(value); err != nil {
		return err
	}
	upload, err := p.store.Create(ctx, p.name(file))
	if err != nil {
		return err
	}
	defer upload.Abort()
	if _, err := upload.Write(body.Bytes()); err != nil {
		return err
	}
	_, err = upload.Commit(c)
	return err
}

// again does something until nobody else has changed what it is about meanwhile.
func again(do func() error) (err error) {
	for range objectTries {
		if err = do(); !errors.Is(err, object.ErrChanged) {
			return err
		}
	}
	return err
}

// prepare writes the marker, which keeps the prefix for the job. What an earlier job has left stays until the commit.
func (p *objectParts) prepare(ctx context.Context) error {
	return again(func() error {
		found, err := p.look(ctx)
		switch {
		case err != nil:
			return err
		case found.manifest != nil && found.manifest.Job == p.job, found.marker != nil && found.marker.Job == p.job:
			return nil
		case found.marker != nil:
			return atFolder(p.prefix.String(), "is kept for the labels of job %s, which has not ended", found.marker.Job).
				Do("let it end, resume it, or name another prefix; if it is gone for good, remove %s", p.name(markerName))
		case found.manifest == nil && len(found.parts) > 0:
			return atFolder(p.prefix.String(), "holds parts of labels without a manifest (%s)", found.parts[0]).Do("remove them or name another prefix")
		}
		return p.writeJSON(ctx, markerName, &marker{Job: p.job, Ready: true}, found.markerTag)
	})
}

// commit writes the manifest, removes the marker and then what other jobs have left, and returns the number of rows.
func (p *objectParts) commit(ctx context.Context, format string, parts int) (rows int64, err error) {
	err = again(func() error {
		found, err := p.look(ctx)
		switch {
		case err != nil:
			return err
		case found.manifest != nil && found.manifest.Job == p.job:
			rows = found.manifest.Rows
			return p.tidy(ctx, found)
		case found.marker == nil || found.marker.Job != p.job:
			return atFolder(p.prefix.String(), "was not prepared for the labels of job %s, or is now another job's", p.job).
				Do("submit the job again, with a prefix of its own")
		}
		m, err := p.manifest(ctx, found, format, parts)
		if err == nil {
			err = p.writeJSON(ctx, manifestName, m, found.manifestTag)
		}
		if err != nil {
			return err
		}
		rows = m.Rows
		return p.tidy(ctx, found)
	})
	return rows, err
}

// manifest names the job's parts, all of which must be there.
func (p *objectParts) manifest(ctx context.Context, found *objectsFound, format string, parts int) (*partsManifest, error) {
	m := &partsManifest{Kind: partsKind, Version: partsVersion, Job: p.job, Extension: format, Parts: make([]partInfo, parts)}
	for i := range m.Parts {
		part := &m.Parts[i]
		part.Name = objectPartName(i, p.job, format)
		if _, stands := slices.BinarySearch(found.parts, part.Name); !stands {
			return nil, atFolder(p.prefix.String(), "lacks %s", part.Name).Do("submit the job again")
		}
	}
	if err := p.count(ctx, m); err != nil {
		return nil, err
	}
	return m, nil
}

// countsAtOnce is how many parts are asked for their rows side by side: each takes a few calls, one after another.
const countsAtOnce = 16

// count reads how many rows the parts of a manifest have.
func (p *objectParts) count(ctx context.Context, m *partsManifest) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	seats := make(chan struct{}, countsAtOnce)
	for i := range m.Parts {
		part := &m.Parts[i]
		seats <- struct{}{}
		wait.Go(func() {
			defer func() { <-seats }()
			if ctx.Err() != nil {
				return
			}
			var err error
			if part.Rows, err = p.rows(ctx, part.Name, m.Extension); err != nil {
				cancel(err)
			}
		})
	}
	wait.Wait()
	for _, part := range m.Parts {
		m.Rows += part.Rows
	}
	return context.Cause(ctx)
}

func (p *objectParts) rows(ctx context.Context, part, format string) (int64, error) {
	info, err := p.store.Stat(ctx, p.name(part))
	if err != nil {
		return 0, err
	}
	return countWith(ctx, info.Name.String(), format, func(ctx context.Context, _ string) (pinned.Handle, error) {
		return pinned.Object(ctx, p.store, info), nil
	})
}

// tidy removes the marker and the parts of other jobs, which the manifest does not name any more. Nobody else has written
// there: the marker was this job's. A part that cannot be removed is no harm, and is tried again by the next job.
func (p *objectParts) tidy(ctx context.Context, found *objectsFound) error {
	if found.marker != nil && found.marker.Job != p.job {
		return nil // the next job is at work already
	}
	for _, name := range found.parts {
		if !strings.Contains(name, "."+p.job+".") {
			_ = p.store.Remove(ctx, p.name(name))
		}
	}
	if found.marker == nil {
		return nil
	}
	return p.store.Remove(ctx, p.name(markerName))
}

// checkJob refuses a job whose id could not be part of a name.
func checkJob(job string) error {
	if !objectPartNames.MatchString(objectPartName(0, job, ".csv")) {
		return fault.Failedf(nil, "the job %q cannot name objects: it has other characters than a-z, 0-9 and -", job)
	}
	return nil
}
