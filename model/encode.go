package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// Every version of the file begins with these bytes, a decimal version number, versionEnd, 64 hex digits and
// checksumEnd, and ends with fileEnd. The checksum is the SHA-256, in lower-case hex, of the whole file with its own 64
// digits replaced by zeros, so that no other byte can change unnoticed, white space included. Both rules hold for
// all versions to come: a program that is too old can then tell a newer model from a damaged one.
const (
	headerStart   = "{\n  \"format\": \"coterie-model\",\n  \"version\": "
	versionEnd    = ",\n  \"checksum\": \""
	checksumEnd   = "\",\n"
	fileEnd       = "\n}\n"
	checksumChars = 2 * sha256.Size
	blankChecksum = "0000000000000000000000000000000000000000000000000000000000000000"

	// Version is the newest version of the file that Encode writes and Decode reads. It grows when a field is
	// added that changes what a model computes; others may be added without, and older programs pass over them.
	// Version 2 has weights of features, orders of texts and folded levels in the transform.
	Version = 2
)

// version is the oldest version that has what the model holds. Models that use nothing new keep their bytes, and older
// programs read them.
func (m *Model) version() int {
	if m.Transform.Plain() {
		return 1
	}
	return 2
}

// Encode renders the model as indented JSON, ending in a line feed. Errors mean that the Model does not hold together;
// they name no file. Centroids are written in the shortest decimals that read back as the same float32.
func (m *Model) Encode() ([]byte, error) {
	if m.Transform == nil {
		return nil, errors.New("the model cannot be written: it has no transform")
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("the model cannot be written: %w", err)
	}
	w := fileWriter{}
	version := strconv.Itoa(m.version())
	w.WriteString(headerStart + version + versionEnd + blankChecksum + checksumEnd)
	w.field("digest", m.Digest())
	w.field("k", m.K)
	w.field("metric", m.Metric)
	w.field("features", m.Features())
	w.field("rows", m.Rows)
	w.field("inertia", m.Inertia)
	w.field("iterations", m.Iterations)
	w.field("converged", m.Converged)
	w.field("counts", m.Counts)
	w.list("segments", len(m.Segments), func(i int) any { return m.Segments[i] })
	w.list("parents", len(m.Parents), func(i int) any { return m.Parents[i] })
	if m.LastID > 0 {
		w.field("last_id", m.LastID)
	}
	if m.Base != nil {
		w.list("base", len(m.Base), func(i int) any { return m.Base[i] })
	}
	origin := m.Origin
	origin.Created = origin.Created.UTC().Truncate(time.Second)
	if origin.Sources == nil {
		origin.Sources = []string{}
	}
	w.indented("origin", origin)
	w.indented("transform", m.Transform)
	w.field("columns", m.Transform.Outputs()) // of centroids and centroids_input
	w.list("centroids_input", m.K, func(i int) any { return finite(m.CentroidInput(i)) })
	w.matrix("centroids", m.Centroids, m.Width())
	w.Truncate(w.Len() - len(",\n"))
	w.WriteString(fileEnd)
	if w.err != nil {
		return nil, fmt.Errorf("the model cannot be written: %w", w.err)
	}
	data := w.Bytes()
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("the model cannot be written: %d bytes are more than the limit of %d", len(data), MaxBytes)
	}
	at := len(headerStart) + len(version) + len(versionEnd)
	copy(data[at:], checksum(data, at))
	return data, nil
}

// WriteFile writes the model to path, whole or not at all; an older model there is replaced.
func WriteFile(path string, m *Model) error {
	data, err := m.Encode()
	if err != nil {
		return fault.Failedf(err, "%s", path)
	}
	return store.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// check is everything that must hold in a model, written or read.
func (m *Model) check() error {
	if err := m.Transform.Validate(); err != nil {
		return err
	}
	return m.validate()
}

// checksum is that of the file data, whose checksum's digits begin at position at.
func checksum(data []byte, at int) string {
	h := sha256.New()
	h.Write(data[:at])
	h.Write([]byte(blankChecksum))
	h.Write(data[at+checksumChars:])
	return hex.EncodeToString(h.Sum(nil))
}

// fileWriter lays out the file: small things on one line, a row of a matrix on a line of its own.
type fileWriter struct {
	bytes.Buffer
	err error
}

// text is the JSON of v on one line, with < and > as they are: the file is to be read by people.
func (w *fileWriter) text(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil && w.err == nil {
		w.err = err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (w *fileWriter) name(name string) { fmt.Fprintf(w, "  %q: ", name) }

func (w *fileWriter) field(name string, v any) {
	w.name(name)
	w.Write(w.text(v))
	w.WriteString(",\n")
}

// indented writes an object over many lines.
func (w *fileWriter) indented(name string, v any) {
	w.name(name)
	if err := json.Indent(&w.Buffer, w.text(v), "  ", "  "); err != nil && w.err == nil {
		w.err = err
	}
	w.WriteString(",\n")
}

// list writes n entries, each on a line.
func (w *fileWriter) list(name string, n int, entry func(i int) any) {
	w.name(name)
	w.WriteString("[")
	for i := range n {
		w.WriteString(separator(i))
		w.Write(w.text(entry(i)))
	}
	w.listEnd(n)
}

// matrix writes rows of d numbers, each row on a line.
func (w *fileWriter) matrix(name string, values []float32, d int) {
	w.name(name)
	w.WriteString("[")
	var number []byte
	for i, v := range values {
		if i%d == 0 {
			w.WriteString(separator(i))
			w.WriteString("[")
		}
		number = strconv.AppendFloat(number[:0], float64(v), 'g', -1, 32)
		w.Write(number)
		if i%d == d-1 {
			w.WriteString("]")
		} else {
			w.WriteString(",")
		}
	}
	w.listEnd(len(values))
}

func separator(i int) string {
	if i == 0 {
		return "\n    "
	}
	return ",\n    "
}

func (w *fileWriter) listEnd(n int) {
	if n > 0 {
		w.WriteString("\n  ")
	}
	w.WriteString("],\n")
}

// finite turns what JSON cannot say into null.
func finite(values []float64) []*float64 {
	out := make([]*float64, len(values))
	for i := range values {
		if !math.IsNaN(values[i]) && !math.IsInf(values[i], 0) {
			out[i] = &values[i]
		}
	}
	return out
}

func checkText(s string) error {
	if len(s) > maxText {
		return fmt.Errorf("a text of %d bytes, at most %d are allowed: %.40q…", len(s), maxText, s)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not UTF-8", s)
	}
	return nil
}
