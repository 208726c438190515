package open

import (
	"encoding/json"
	"errors"
	"path"
	"regexp"
	"slices"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/store"
)

// Workers write the labels of a job below a prefix as parts, of which those count that the manifest names: it is written
// last, and in place of that of an earlier job whose parts may still lie there.
var partOfLabels = regexp.MustCompile(`^part-[0-9]{6}\..+\.(csv|csv\.gz|csv\.zst|parquet|npy)$`)

const (
	labelsManifest   = "_manifest.json"
	labelsUnfinished = "_unfinished.json"
	// maxLabelsManifest is the largest manifest that is read, in bytes: twice what a million parts take.
	maxLabelsManifest = 192 << 20
)

// wholeLabels keeps, of the objects below a folder, the parts of labels that its manifest names, and all that are no parts.
// Labels that are not whole yet are an error.
func (f finder) wholeLabels(below object.Name, found []object.Info) ([]object.Info, error) {
	part := func(i object.Info) bool {
		folder, file := path.Split(i.Name.Key)
		return folder == below.Key && partOfLabels.MatchString(file)
	}
	if !slices.ContainsFunc(found, part) {
		return found, nil
	}
	var manifest struct {
		Parts []struct{ Name string }
	}
	at := object.Name{Bucket: below.Bucket, Key: below.Key + labelsManifest}
	data, _, err := store.ReadObject(f.ctx, at.String(), maxLabelsManifest)
	if errors.Is(err, object.ErrNotFound) {
		return found, f.unfinished(below)
	}
	if err == nil && json.Unmarshal(data, &manifest) != nil {
		err = fault.Inputf(fault.In(at.String()), "is damaged").Do("write the labels again")
	}
	if err != nil {
		return nil, err
	}
	named := make(map[string]bool, len(manifest.Parts))
	for _, p := range manifest.Parts {
		named[below.Key+p.Name] = true
	}
	found = slices.DeleteFunc(found, func(i object.Info) bool { return part(i) && !named[i.Name.Key] })
	for _, i := range found {
		delete(named, i.Name.Key)
	}
	for key := range named {
		return nil, fault.Inputf(fault.In(object.Name{Bucket: below.Bucket, Key: key}.String()), "is a part of these labels, and is gone").Do("write the labels again")
	}
	return found, nil
}

// unfinished is an error where labels are being written for the first time.
func (f finder) unfinished(below object.Name) error {
	at := object.Name{Bucket: below.Bucket, Key: below.Key + labelsUnfinished}
	_, err := f.store.Stat(f.ctx, at)
	switch {
	case errors.Is(err, object.ErrNotFound):
		return nil // parts that somebody has copied
	case err != nil:
		return err
	}
	return fault.Inputf(fault.In(below.String()), "holds labels that are not whole: the job that writes them has not ended").
		Do("let it end, or resume it: coterie jobs list")
}

// WithinObjects finds the prefix of an output, s3://bucket/prefix, within the roots that are such prefixes themselves. The
// error is of kind Input where it lies outside, and wraps ErrOutside.
func WithinObjects(roots []string, folder string) (object.Name, error) {
	n, err := ObjectRoot(folder)
	if err != nil {
		return n, err
	}
	_, buckets, err := splitRoots(roots)
	if err != nil {
		return n, err
	}
	if n.Key == "" || !(finder{buckets: buckets}).mayList(n) {
		return n, outside(folder)
	}
	return n, nil
}
