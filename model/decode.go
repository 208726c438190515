package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/store"
)

// maxTransformValues bounds the values in a transform before anything is allocated for them: columns, levels and
// a handful of numbers for each.
const maxTransformValues = 16 * feature.MaxOutputs

const (
	remedyDamaged = "copy the file again from where it was written, or fit again"
	remedyNot     = "name a file that coterie fit has written"
)

// ReadFile reads and checks the model at path, a file or an object. Neither the open nor the read of a pipe takes longer than
// store.ProcessContext. Every error is a *fault.Error of kind Input that names the file.
func ReadFile(path string) (*Model, error) {
	return read(path, func() (*store.Input, error) { return store.OpenInput(store.ProcessContext(), path) })
}

// ReadRegular is ReadFile for one who reads the same path again and again: a pipe is refused.
func ReadRegular(path string) (*Model, error) {
	return read(path, func() (*store.Input, error) { return store.OpenRegular(path) })
}

func read(path string, open func() (*store.Input, error)) (*Model, error) {
	if object.Is(path) {
		m, _, err := ReadObject(path)
		return m, err
	}
	at := fault.In(path)
	in, err := open()
	if err != nil {
		return nil, openError(at, err)
	}
	defer in.Close()
	if in.Size > MaxBytes {
		return nil, tooLarge(at)
	}
	data, err := readAll(in)
	if err != nil {
		return nil, openError(at, err)
	}
	return Decode(data, path)
}

// headBytes is how much of a file is read to see whether it can be a model. Decode needs less to say why it is none.
const headBytes = 4096

// readAll reads what may be a model, and of anything else only the beginning: of a file as much as it had when it was opened (what
// is being written still has no checksum that fits), of a pipe, which has no size to go by, a byte more than a model has.
func readAll(in *store.Input) ([]byte, error) {
	limit, room := int64(MaxBytes+1), 0
	if in.Size >= 0 {
		limit, room = in.Size, int(in.Size)+bytes.MinRead // to meet the end in
	}
	r := io.LimitReader(in, limit)
	head := make([]byte, headBytes)
	n, err := io.ReadFull(r, head)
	head = head[:n]
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return head, nil
	case err != nil || !bytes.HasPrefix(head, []byte(headerStart)):
		return head, err
	}
	var data bytes.Buffer
	data.Grow(room)
	data.Write(head)
	_, err = data.ReadFrom(r)
	return data.Bytes(), err
}

// ReadObject reads and checks the model in an object, and says which object that was, for store.ReplaceObject.
func ReadObject(path string) (*Model, object.Info, error) {
	data, info, err := store.ReadObject(store.ProcessContext(), path, MaxBytes)
	if err != nil {
		return nil, info, err
	}
	m, err := Decode(data, path)
	return m, info, err
}

func openError(at fault.Place, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err // the place names the file already
	}
	e := fault.Inputf(at, "the model cannot be read").Do("check the path and its rights")
	e.Err = err
	return e
}

func tooLarge(at fault.Place) error {
	return fault.Inputf(at, "is larger than the %d bytes that a model may have", MaxBytes).Do("%s", remedyNot)
}

// Decode reads a model from the bytes of its file; file is its name for messages. The checksum is verified before
// anything is parsed, and what is allocated stays within a small multiple of len(data). Every error is a
// *fault.Error of kind Input, and says whether the file is no model at all, truncated, damaged or of a newer version.
func Decode(data []byte, file string) (*Model, error) {
	at := fault.In(file)
	if len(data) > MaxBytes {
		return nil, tooLarge(at)
	}
	version, err := verify(data, at)
	if err != nil {
		return nil, err
	}
	if version < 1 || version > Version {
		return nil, versionError(at, version)
	}
	m, err := parse(data)
	if err == nil && version < m.version() {
		err = fmt.Errorf("version %d has no weights of features, orders of texts and folded levels", version)
	}
	if err != nil {
		// The checksum is right, so this is not the disk: whoever wrote the file wrote nonsense.
		e := fault.Inputf(at, "the model does not hold together").Do("fit again")
		e.Err = err
		return nil, e
	}
	return m, nil
}

func versionError(at fault.Place, version int) error {
	if version > Version {
		return fault.Inputf(at, "model version %d is newer than this coterie understands (%d): upgrade coterie", version, Version)
	}
	return fault.Inputf(at, "model version %d does not exist", version).Do("%s", remedyNot)
}

// verify checks header, end and checksum, and gives the version.
func verify(data []byte, at fault.Place) (version int, err error) {
	start := data[:min(len(data), 256)]
	switch {
	case len(data) == 0:
		return 0, fault.Inputf(at, "is empty, not a model").Do("%s", remedyNot)
	case len(data) > len("{\n") && bytes.HasPrefix([]byte(headerStart), data):
		return 0, truncated(at)
	case !bytes.HasPrefix(data, []byte(headerStart)) && bytes.Contains(start, []byte("coterie-model")):
		return 0, fault.Inputf(at, "the model is damaged: its header is not as coterie writes it, the file was edited or reformatted").
			Do("%s", remedyDamaged)
	case !bytes.HasPrefix(data, []byte(headerStart)):
		return 0, fault.Inputf(at, "is not a model").Do("%s", remedyNot)
	}
	version, from, complete := header(data)
	switch {
	case complete && string(data[from:from+checksumChars]) == checksum(data, from):
		return version, nil
	case !bytes.Contains(data, []byte(fileEnd)): // which stands nowhere but at the end
		return 0, truncated(at)
	}
	return 0, fault.Inputf(at, "the model is damaged: its checksum does not match").Do("%s", remedyDamaged)
}

func truncated(at fault.Place) error {
	return fault.Inputf(at, "the model is truncated: the end of the file is missing").Do("%s", remedyDamaged)
}

// header finds the version and where the checksum's digits begin in a file that starts with headerStart; complete
// is false if the rest of the header is not there.
func header(data []byte) (version, from int, complete bool) {
	rest := data[len(headerStart):]
	digits, rest, found := bytes.Cut(rest[:min(len(rest), 256)], []byte(versionEnd))
	// Nine digits at most: the version is an int on every machine.
	if !found || len(digits) == 0 || len(digits) > 9 || len(rest) < checksumChars+len(checksumEnd) {
		return 0, 0, false
	}
	version, err := strconv.Atoi(string(digits))
	if err != nil || strconv.Itoa(version) != string(digits) || string(rest[checksumChars:checksumChars+len(checksumEnd)]) != checksumEnd {
		return 0, 0, false
	}
	return version, len(headerStart) + len(digits) + len(versionEnd), true
}

// file is a model as JSON; versions differ in what the transform may hold. Fields that are missing here (columns, centroids_input) are for people and other
// programs: they follow from the transform and the centroids.
type file struct {
	Digest     string           `json:"digest"`
	K          int              `json:"k"`
	Metric     string           `json:"metric"`
	Features   limited[string]  `json:"features"`
	Rows       int64            `json:"rows"`
	Inertia    float64          `json:"inertia"`
	Iterations int              `json:"iterations"`
	Converged  bool             `json:"converged"`
	Counts     limited[int64]   `json:"counts"`
	Segments   limited[Segment] `json:"segments"`
	Parents    limited[Parent]  `json:"parents"`
	LastID     int              `json:"last_id"`
	Base       limited[Spread]  `json:"base"`
	Origin     json.RawMessage  `json:"origin"`
	Transform  json.RawMessage  `json:"transform"`
	Centroids  matrix           `json:"centroids"`
}

// parse reads a model. The caller has verified the checksum.
func parse(data []byte) (*Model, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	m := &Model{K: f.K, Metric: f.Metric, Rows: f.Rows, Inertia: f.Inertia, Iterations: f.Iterations, Converged: f.Converged,
		Counts: f.Counts, Segments: f.Segments, Parents: f.Parents, LastID: f.LastID, Base: f.Base}
	if err := json.Unmarshal(f.Origin, &m.Origin); err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	if n := bytes.Count(f.Transform, []byte(",")); n > maxTransformValues {
		return nil, fmt.Errorf("the transform has %d values, at most %d are allowed", n, maxTransformValues)
	}
	if err := json.Unmarshal(f.Transform, &m.Transform); err != nil {
		return nil, fmt.Errorf("transform: %w", err)
	}
	if m.Transform == nil {
		return nil, errors.New("it has no transform")
	}
	if err := m.Transform.Validate(); err != nil {
		return nil, err
	}
	if f.Centroids.rows != f.K || f.Centroids.width != m.Width() {
		return nil, fmt.Errorf("centroids are %d × %d, not k × d = %d × %d", f.Centroids.rows, f.Centroids.width, f.K, m.Width())
	}
	m.Centroids = f.Centroids.values
	if err := m.validate(); err != nil {
		return nil, err
	}
	if !slices.Equal([]string(f.Features), m.Features()) {
		return nil, errors.New("the features are not those of the transform")
	}
	if digest := m.Digest(); digest != f.Digest {
		return nil, fmt.Errorf("the digest says %.16s…, the content %.16s…", f.Digest, digest)
	}
	return m, nil
}
