package open

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

// format is the room that reads a file.
type format int

const (
	unknownFormat format = iota
	csvFormat
	parquetFormat
	npyFormat
	synthFormat
	streamFormat // standard input or a pipe: the first bytes tell
)

// supported is what messages say about names.
const supported = ".csv, .tsv, .csv.gz, .csv.zst, .parquet or .npy"

const maxDepth = 32 // of folders within folders; a link may point back up

// item is one thing to open.
type item struct {
	path   string
	format format
	object *object.Info // nil: a file, made data or a stream
}

// byName tells the format from a file's extension, in any case.
func byName(path string) format {
	name := strings.ToLower(filepath.Base(path))
	inner := strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	switch {
	case strings.HasSuffix(inner, ".csv"), strings.HasSuffix(inner, ".tsv"):
		return csvFormat
	case strings.HasSuffix(name, ".parquet"):
		return parquetFormat
	case strings.HasSuffix(name, ".npy"):
		return npyFormat
	}
	return unknownFormat
}

// finder lists what is named as data.
type finder struct {
	files
	ctx     context.Context
	guarded bool          // only what lies within roots: no stream, no pipe
	buckets []object.Name // where guarded: the prefixes of the objects that may be read
	store   object.Store
}

// expand lists what data names, in order; folders and globs in name order.
func (f finder) expand(data []string) ([]item, error) {
	if len(data) == 0 {
		return nil, fault.Usagef("no data is named").Do("name files, folders, globs, synth://… or - for standard input")
	}
	var items []item
	standard := false
	for _, d := range data {
		if d == "-" && standard {
			return nil, fault.Usagef("standard input (-) is named twice")
		}
		standard = standard || d == "-"
		found, err := f.one(d)
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	return items, nil
}

func (f finder) one(d string) ([]item, error) {
	switch scheme, _, remote := strings.Cut(d, "://"); {
	case object.Is(d):
		return f.objects(d)
	case f.guarded && (d == "-" || scheme == "file"):
		return nil, outside(d)
	case d == "-":
		return []item{{path: d, format: streamFormat}}, nil
	case d == "":
		return nil, fault.Usagef("the name of a data file is empty")
	case remote && scheme == "synth":
		return []item{{path: d, format: synthFormat}}, nil
	case remote && scheme == "file":
		return nil, fault.Usagef("%s: files are named by their plain path", d)
	case remote && strings.EqualFold(scheme+"://", object.Scheme):
		return nil, fault.Usagef("%s: the scheme of objects is written in lower case", d).Do("write %s%s", object.Scheme, d[len(object.Scheme):])
	case remote:
		return nil, fault.Usagef("%s: %s:// is not supported by this build", d, scheme).Do("copy the data to a folder first")
	}
	info, err := f.stat(d)
	switch {
	case explained(err):
		return nil, err
	case errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(d, "*?["):
		return f.matches(d)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Inputf(fault.In(d), "does not exist").Do("check the path")
	case errors.Is(err, fs.ErrPermission):
		return nil, fault.Inputf(fault.In(d), "may not be read: no permission").Do("change its rights")
	case err != nil:
		return nil, &fault.Error{Kind: fault.Input, Place: fault.In(d), Problem: "cannot be read", Err: err}
	case info.IsDir():
		items, err := f.folder(d, 0)
		if err == nil && len(items) == 0 {
			err = fault.Inputf(fault.In(d), "holds no data files").Do("supported are %s", supported)
		}
		return items, err
	case !info.Mode().IsRegular():
		return []item{{path: d, format: streamFormat}}, nil
	}
	if kind := byName(d); kind != unknownFormat {
		return []item{{path: d, format: kind}}, nil
	}
	return nil, fault.Inputf(fault.In(d), "is not a kind of file that is known").Do("supported are %s", supported)
}

// explained says whether an error has its message already.
func explained(err error) bool {
	var e *fault.Error
	return errors.As(err, &e)
}

// matches lists the data files that match a pattern; if only folders match, what is in them.
func (f finder) matches(pattern string) ([]item, error) {
	matches, err := f.glob(pattern)
	if explained(err) {
		return nil, err
	}
	if err != nil {
		return nil, fault.Usagef("%s: %v", pattern, err)
	}
	slices.Sort(matches)
	var files, folders []string
	for _, m := range matches {
		info, err := f.stat(m)
		switch {
		case hidden(filepath.Base(m)):
		case explained(err):
			return nil, err
		case err != nil:
		case info.IsDir():
			folders = append(folders, m)
		default:
			files = append(files, m)
		}
	}
	items, err := pick(pattern, files)
	if err != nil || len(items) > 0 {
		return items, err
	}
	for _, path := range folders {
		inner, err := f.folder(path, 0)
		if err != nil {
			return nil, err
		}
		items = append(items, inner...)
	}
	switch {
	case len(items) > 0:
		return items, oneFamily(pattern, items)
	case len(matches) == 0:
		return nil, fault.Inputf(fault.In(pattern), "no file matches").Do("check the path")
	}
	return nil, fault.Inputf(fault.In(pattern), "matches no data files").Do("supported are %s", supported)
}

// hidden tells names that are no data by custom: .crc, _SUCCESS, _metadata.
func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }

// folder lists the data files in a folder. Folders within it are read only if it has no data files itself, as
// partitioned tables have (month=1/part-0.parquet).
func (f finder) folder(path string, depth int) ([]item, error) {
	if depth > maxDepth {
		return nil, fault.Inputf(fault.In(path), "lies more than %d folders deep", maxDepth).Do("does a link point back up?")
	}
	entries, err := f.readDir(path) // sorted by name
	if explained(err) {
		return nil, err
	}
	if err != nil {
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err // the place names the folder already
		}
		return nil, &fault.Error{Kind: fault.Input, Place: fault.In(path), Problem: "cannot be listed", Err: err, Remedy: "change its rights"}
	}
	var files, folders []string
	for _, e := range entries {
		full := filepath.Join(path, e.Name())
		info, err := f.stat(full)
		switch {
		case hidden(e.Name()):
		case explained(err):
			return nil, err
		case err != nil:
			return nil, &fault.Error{Kind: fault.Input, Place: fault.In(full), Problem: "cannot be read", Err: err}
		case info.IsDir():
			folders = append(folders, full)
		case info.Mode().IsRegular():
			files = append(files, full)
		}
	}
	items, err := pick(path, files)
	if err != nil || len(items) > 0 {
		return items, err
	}
	for _, sub := range folders {
		inner, err := f.folder(sub, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, inner...)
	}
	return items, oneFamily(path, items)
}

// pick keeps the data files of a list that nobody wrote by hand. Two formats side by side, or a file beside its
// compressed copy, would count rows twice: that is refused.
func pick(where string, files []string) ([]item, error) {
	var items []item
	stems := map[string]string{}
	for _, f := range files {
		kind := byName(f)
		if kind == unknownFormat {
			continue
		}
		stem := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(f), ".gz"), ".zst")
		if before, twice := stems[stem]; twice {
			return nil, fault.Inputf(fault.In(where), "holds both %s and %s, which look like the same data", filepath.Base(before), filepath.Base(f)).
				Do("remove one of them or name the files")
		}
		stems[stem] = f
		items = append(items, item{path: f, format: kind})
	}
	return items, oneFamily(where, items)
}

func oneFamily(where string, items []item) error {
	for _, i := range items {
		if i.format != items[0].format {
			return fault.Inputf(fault.In(where), "holds files of different formats: %s and %s", filepath.Base(items[0].path), filepath.Base(i.path)).
				Do("name the files, or use a glob such as *%s", filepath.Ext(items[0].path))
		}
	}
	return nil
}
