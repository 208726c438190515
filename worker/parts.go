package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/csv"
	"github.com/coterie-project/coterie/dataset/npy"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/dataset/parquet"
	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/store"
)

// Labels that stay with the workers are a folder of parts, one for each partition. Their names have the partition's number
// in six digits, so that the order of names is the order of rows, and whoever reads the folder as data has them in
// order. Names that begin with an underscore are no data to anybody.
const (
	manifestName = "_manifest.json"   // last: the parts are whole
	markerName   = "_unfinished.json" // first: whose parts these will be
	maxParts     = 1_000_000          // six digits
)

// partFormats are the formats of parts, as their names end.
var partFormats = []string{".csv", ".csv.gz", ".csv.zst", ".parquet", ".npy"}

// Names that a folder of labels may hold besides manifest and marker: parts of any format, and what a writer leaves that is
// killed (package store).
var (
	partNames = regexp.MustCompile(`^part-[0-9]{6}(\.csv|\.csv\.gz|\.csv\.zst|\.parquet|\.npy)$`)
	leftovers = regexp.MustCompile(`^\.coterie-[0-9a-f]+\.tmp$`)
)

func partName(partition int, format string) string {
	return fmt.Sprintf("part-%06d%s", partition, format)
}

// PartOptions are the columns of parts.
type PartOptions = LabelTable

// PartSink writes labels where the rows are: each partition's to a part of its own. It implements LabelSink. A part
// appears whole or not at all; one that is there is replaced by the same bytes, so that partitions that are labelled
// twice, even by two workers at once, do no harm.
type PartSink struct {
	folder, format string
	roots          []string
	table          LabelTable

	job   string // whose labels they are, and of how many parts: for Prepare and Commit
	count int
}

// Prepare makes the folder ready: see PrepareParts.
func (s *PartSink) Prepare(ctx context.Context) error {
	if object.Is(s.folder) {
		p, err := objectsOf(ctx, s.folder, s.roots, s.job)
		if err != nil {
			return err
		}
		return p.prepare(ctx)
	}
	return PrepareParts(s.folder, s.roots, s.job)
}

// Commit makes the parts appear: see CommitParts.
func (s *PartSink) Commit(ctx context.Context) error {
	if object.Is(s.folder) {
		p, err := objectsOf(ctx, s.folder, s.roots, s.job)
		if err != nil {
			return err
		}
		_, err = p.commit(ctx, s.format, s.count)
		return err
	}
	_, err := CommitParts(ctx, s.folder, s.roots, s.format, s.count, PartsInfo{Job: s.job})
	return err
}

// NewPartSink makes a sink for a folder that PrepareParts has prepared. format is the extension of parts (".csv.gz"). roots,
// if not nil, are the folders within which the labels must lie, as for open.Options.
func NewPartSink(folder, format string, roots []string, o PartOptions) (*PartSink, error) {
	format, err := partFormat(format)
	if err != nil {
		return nil, err
	}
	if object.Is(folder) {
		if _, err := open.WithinObjects(roots, folder); err != nil && roots != nil {
			return nil, err
		}
	} else if _, err := partsPlace(folder, roots); err != nil {
		return nil, err
	}
	return &PartSink{folder: folder, format: format, roots: roots, table: o}, nil
}

func partFormat(format string) (string, error) {
	if format = "." + strings.TrimPrefix(format, "."); !slices.Contains(partFormats, format) {
		return "", fault.Usagef("labels cannot be written as %s", format).Do("choose one of %s", strings.Join(partFormats, ", "))
	}
	return format, nil
}

// partsPlace is the folder without symbolic links, checked against the roots.
func partsPlace(folder string, roots []string) (string, error) {
	if roots == nil {
		return folder, nil
	}
	return open.Within(roots, folder)
}

// Put writes the part of a partition.
func (s *PartSink) Put(ctx context.Context, l *Labels) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.Partition < 0 || l.Partition >= maxParts {
		return tooManyParts(s.folder, l.Partition+1)
	}
	batch, err := s.table.Batch(l)
	if err != nil {
		return err
	}
	path, err := s.path(ctx, l.Partition)
	if err != nil {
		return err
	}
	w, err := table.Create(path, s.table.Columns(l.Integers), table.Options{Rows: int64(l.Rows), Context: ctx})
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := w.Write(batch); err != nil {
		return err
	}
	return w.Commit()
}

// path is where a part is written.
func (s *PartSink) path(ctx context.Context, partition int) (string, error) {
	if object.Is(s.folder) {
		p, err := objectsOf(ctx, s.folder, s.roots, s.job)
		if err == nil {
			err = checkJob(s.job)
		}
		if err != nil {
			return "", err
		}
		return p.name(objectPartName(partition, s.job, s.format)).String(), nil
	}
	folder, err := partsPlace(s.folder, s.roots)
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, partName(partition, s.format))
	return path, ordinary(path)
}

func tooManyParts(folder string, n int) error {
	return atFolder(folder, "%d parts are more than %d", n, maxParts).Do("write the labels to a file")
}

// ordinary refuses to write over what is no file: a link would lead elsewhere, and a pipe waits.
func ordinary(path string) error {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		return atFolder(path, "is no ordinary file").Do("remove it")
	}
	return nil // that it is missing is as it should be, and any other trouble comes again when it is written
}

// atFolder is a failure at a path.
func atFolder(path, format string, args ...any) *fault.Error {
	e := fault.Failedf(nil, format, args...)
	e.Place.File = path
	return e
}

// PartsInfo is what is known of parts when they are committed.
type PartsInfo struct {
	Job  string
	Rows []int64 // by part; nil: the parts are read and counted
}

// PrepareParts makes a folder ready for a job's parts. It must not exist (its own folder must), be empty, or hold the
// parts of an earlier job with their manifest, which are removed; anything else is left alone and is an error of kind
// Failed. For a job that it is prepared for already it does nothing: a job that goes on after a break keeps its parts.
func PrepareParts(folder string, roots []string, job string) error {
	place, err := partsPlace(folder, roots)
	if err != nil {
		return err
	}
	if err := os.Mkdir(place, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return store.Explain(folder, err)
	}
	found, err := lookAt(place)
	if err != nil {
		return err
	}
	switch {
	case found.manifest == nil && found.marker != nil && found.marker.Job != job:
		return atFolder(folder, "holds parts of the labels of job %s, which has not ended", found.marker.Job).
			Do("let it end, resume it, or name another folder")
	case found.manifest == nil && found.marker == nil && len(found.parts) > 0:
		return atFolder(folder, "holds parts of labels without a manifest (%s)", found.parts[0]).Do("remove the folder or name another one")
	case found.marker != nil && found.marker.Job == job && found.marker.Ready, found.manifest != nil && found.manifest.Job == job:
		return nil
	}
	if err := writeJSON(place, markerName, &marker{Job: job}); err != nil {
		return err
	}
	// The manifest goes first: nobody takes parts for whole of which some are removed.
	for _, name := range slices.Concat([]string{manifestName}, found.parts, found.leftovers) {
		if err := os.Remove(filepath.Join(place, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return store.Explain(filepath.Join(place, name), err)
		}
	}
	return writeJSON(place, markerName, &marker{Job: job, Ready: true})
}

// CommitParts writes the manifest, after which the labels are whole, and returns the number of rows. All parts must be
// there, and no others. Committed again by the same job, nothing changes.
func CommitParts(ctx context.Context, folder string, roots []string, format string, parts int, info PartsInfo) (int64, error) {
	format, err := partFormat(format)
	if err != nil {
		return 0, err
	}
	if parts < 0 || parts > maxParts {
		return 0, tooManyParts(folder, parts)
	}
	if info.Rows != nil && len(info.Rows) != parts {
		return 0, fmt.Errorf("worker: the rows of %d parts are told of %d", len(info.Rows), parts)
	}
	place, err := partsPlace(folder, roots)
	if err != nil {
		return 0, err
	}
	found, err := lookAt(place)
	switch {
	case err != nil:
		return 0, err
	case found.manifest != nil && found.manifest.Job == info.Job:
		return found.manifest.Rows, nil
	case found.marker == nil || found.marker.Job != info.Job:
		return 0, atFolder(folder, "was not prepared for the labels of job %s, or is now another job's", info.Job).Do("submit the job again, with a folder of its own")
	}
	m := &partsManifest{Kind: partsKind, Version: partsVersion, Job: info.Job, Extension: format, Parts: make([]partInfo, parts)}
	for i := range m.Parts {
		p := &m.Parts[i]
		p.Name = partName(i, format)
		if i >= len(found.parts) || found.parts[i] != p.Name {
			return 0, atFolder(folder, "lacks %s, or holds a part too many", p.Name).Do("submit the job again")
		}
		if info.Rows != nil {
			p.Rows = info.Rows[i]
		} else if p.Rows, err = countRows(ctx, filepath.Join(place, p.Name), format); err != nil {
			return 0, err
		}
		m.Rows += p.Rows
	}
	if len(found.parts) > parts {
		return 0, atFolder(folder, "holds %s, one part too many", found.parts[parts]).Do("submit the job again")
	}
	if err := writeJSON(place, manifestName, m); err != nil {
		return 0, err
	}
	if err := os.Remove(filepath.Join(place, markerName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, store.Explain(filepath.Join(place, markerName), err)
	}
	return m.Rows, nil
}

// countRows reads how many rows a part has.
func countRows(ctx context.Context, path, format string) (int64, error) {
	if err := ordinary(path); err != nil {
		return 0, err
	}
	return countWith(ctx, path, format, pinned.OpenLocal)
}

// countWith is countRows for what open opens. A part may have no rows.
func countWith(ctx context.Context, path, format string, open pinned.Opener) (int64, error) {
	var s dataset.Source
	var err error
	switch format {
	case ".parquet":
		s, err = parquet.OpenWith(ctx, path, open)
	case ".npy":
		s, err = npy.OpenWith(ctx, path, open)
	default:
		var t *csv.Table
		if t, err = csv.Open(ctx, path, csv.Options{Open: open}); err == nil {
			s = t
		}
	}
	if err != nil {
		return 0, err
	}
	defer s.Close()
	return s.Rows(), nil
}
