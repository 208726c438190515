package model

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
)

var update = flag.Bool("update", false, "write the golden file anew; a version that was released must never change")

const golden = "testdata/model-v1.json"

// example uses everything that a version 1 model can hold.
func example() *Model {
	fill, zero := 41.5, 0.0
	t := &feature.Transform{
		Scale: feature.Standard, Missing: feature.Indicator,
		Numeric: []feature.NumericColumn{
			{Name: "recency_days", Fill: &fill, Center: 87.25, Spread: 63.1, Grid: feature.Grid{Shift: -0.5, Exponent: -36},
				Indicator: &feature.Grid{Shift: 0.0625, Exponent: -38}},
			{Name: "monetary <net>", Log1p: true, Fill: &zero, Center: 5.5, Spread: 1.25, Grid: feature.Grid{Shift: 0.25, Exponent: -37}},
		},
		Categorical: []feature.CategoricalColumn{{Name: "género", Levels: []feature.Level{
			{Value: "f", Grid: feature.Grid{Shift: 0.5, Exponent: -38}}, {Value: "m", Grid: feature.Grid{Shift: 0.375, Exponent: -38}},
		}, Missing: &feature.Grid{Shift: 0.125, Exponent: -38}}},
	}
	return &Model{
		K: 2, Metric: Euclidean, Transform: t,
		Centroids: []float32{0.1, -1.5, 0.33333334, 1e-20, 0.25, -0.125, 3, 2.5, math.SmallestNonzeroFloat32, -0.0625, 0.75, 16777216},
		Counts:    []int64{9007199254740993, 0}, Rows: 9007199254740993, Inertia: 1234.5678901234567, Iterations: 17, Converged: true,
		Segments: []Segment{{Index: 0, ID: "s1", Name: "Champions & \"friends\""}, {Index: 1, ID: "s2", Name: "Hibernating"}},
		Parents:  []Parent{{Digest: strings.Repeat("ab", 32), File: "june.json"}},
		Origin: Origin{Coterie: "0.1.0", Arithmetic: "1", Created: time.Date(2026, 7, 1, 3, 4, 5, 0, time.UTC), Seed: math.MaxUint64,
			Init: "k-means-parallel", Runs: 3, Tolerance: 1e-4, Algorithm: "auto", Sources: []string{"customers.parquet"}},
	}
}

func encode(t testing.TB, m *Model) []byte {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	return data
}

func TestModelSurvivesTheFileBitForBit(t *testing.T) {
	m := example()
	got, err := Decode(encode(t, m), "m.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Errorf("model changed (-want +got):\n%s", diff)
	}
	if got.Digest() != m.Digest() {
		t.Errorf("digest %s became %s", m.Digest(), got.Digest())
	}
}

func TestAnyFiniteCentroidSurvivesTheFile(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := example()
		for i := range m.Centroids {
			bits := rapid.Uint32().Draw(r, "bits")
			if v := math.Float32frombits(bits); v == v && !math.IsInf(float64(v), 0) {
				m.Centroids[i] = v
			}
		}
		got, err := Decode(encode(t, m), "m.json")
		if err != nil {
			r.Fatal(err)
		}
		for i := range m.Centroids {
			if a, b := math.Float32bits(m.Centroids[i]), math.Float32bits(got.Centroids[i]); a != b {
				r.Fatalf("centroid %d: bits %08x became %08x", i, a, b)
			}
		}
	})
}

func TestVersion1StaysReadable(t *testing.T) {
	if *update {
		if err := WriteFile(golden, example()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example(), got); diff != "" {
		t.Errorf("golden model (-want +got):\n%s", diff)
	}
	const digest = "2b46599eb7c93bb2210319773d154e49b53ae47377418ca23d73b110e06e4a35"
	if got.Digest() != digest {
		t.Errorf("digest is %s, want %s: models that exist would no longer be recognised", got.Digest(), digest)
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if data := encode(t, example()); !bytes.Equal(data, want) {
		t.Errorf("Encode writes other bytes than the golden file:\n%s", cmp.Diff(string(want), string(data)))
	}
}

func TestFileIsReadableJSONWithCentroidsInInputUnits(t *testing.T) {
	m := example()
	var f struct {
		Format    string
		Version   int
		Features  []string
		Columns   []string
		Input     [][]float64 `json:"centroids_input"`
		Centroids [][]float32
	}
	if err := json.Unmarshal(encode(t, m), &f); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m.Transform.Outputs(), f.Columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if f.Format != "coterie-model" || f.Version != 1 || len(f.Centroids) != 2 {
		t.Errorf("got format %q, version %d, %d centroids", f.Format, f.Version, len(f.Centroids))
	}
	if diff := cmp.Diff([]string{"recency_days", "monetary <net>", "género"}, f.Features); diff != "" {
		t.Errorf("features (-want +got):\n%s", diff)
	}
	for i := range f.Input {
		if diff := cmp.Diff(m.CentroidInput(i), f.Input[i]); diff != "" {
			t.Errorf("centroid %d in input units (-want +got):\n%s", i, diff)
		}
	}
}

func TestEveryFlippedByteIsNoticed(t *testing.T) {
	data := encode(t, example())
	for i := range data {
		for _, flip := range []byte{1, 0x20, 0x80} {
			damaged := bytes.Clone(data)
			damaged[i] ^= flip
			if _, err := Decode(damaged, "m.json"); fault.Code(err) != int(fault.Input) {
				t.Fatalf("byte %d (%q) flipped by %#x: got %v", i, data[i], flip, err)
			}
		}
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	data := encode(t, example())
	for n := range data {
		_, err := Decode(data[:n], "m.json")
		if fault.Code(err) != int(fault.Input) {
			t.Fatalf("first %d bytes: got %v", n, err)
		}
		if n > 2 && !strings.Contains(err.Error(), "truncated") {
			t.Fatalf("first %d bytes: got %v, want truncated", n, err)
		}
	}
}

// signed is data with the checksum that its content asks for, as an attacker or a newer program would write it.
func signed(data []byte) []byte {
	data = bytes.Clone(data)
	if !bytes.HasPrefix(data, []byte(headerStart)) {
		return data
	}
	if _, at, complete := header(data); complete {
		copy(data[at:], checksum(data, at))
	}
	return data
}

func TestBadFilesAreNamedForWhatTheyAre(t *testing.T) {
	good := string(encode(t, example()))
	edit := func(from, to string) []byte {
		if !strings.Contains(good, from) {
			t.Fatalf("the example has no %q", from)
		}
		return []byte(strings.Replace(good, from, to, 1))
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "m.json: is empty, not a model"},
		{"another JSON file", []byte("{\n  \"rows\": 3\n}\n"), "m.json: is not a model"},
		{"a CSV file", []byte("id,age\n1,2\n"), "m.json: is not a model"},
		{"reformatted", edit("{\n  \"format\"", "{ \"format\""), "edited or reformatted"},
		{"line ends of another system", bytes.ReplaceAll([]byte(good), []byte("\n"), []byte("\r\n")), "edited or reformatted"},
		{"edited", edit("Hibernating", "Sleeping"), "checksum does not match"},
		{"appended", append([]byte(good), '\n'), "checksum does not match"},
		{"newer", signed(edit(`"version": 1`, `"version": 3`)), "model version 3 is newer than this coterie understands (2): upgrade coterie"},
		{"newer and damaged", edit(`"version": 1`, `"version": 3`), "checksum does not match"},
		{"version 0", signed(edit(`"version": 1`, `"version": 0`)), "model version 0 does not exist"},
		{"not JSON", signed(edit(`"k": 2,`, `"k": 2`)), "does not hold together"},
		{"k does not fit", signed(edit(`"k": 2`, `"k": 3`)), "centroids are 2 × 6, not k × d = 3 × 6"},
		{"k of zero", signed(edit(`"k": 2`, `"k": 0`)), "centroids are 2 × 6"},
		{"a negative count", signed(edit("993,0]", "993,-1]")), "count 1 is -1"},
		{"counts that do not add up", signed(edit(`"rows": 9`, `"rows": 8`)), "count 0 is"},
		{"an infinite centroid", signed(edit("0.33333334", "1e39")), "is no float32"},
		{"a ragged centroid", signed(edit("0.33333334,", "")), "row 1 of the centroids has 6 columns, not 5"},
		{"a text centroid", signed(edit("0.33333334", `"]"`)), "is no float32"},
		{"negative inertia", signed(edit(`"inertia": 1`, `"inertia": -1`)), "inertia is -1"},
		{"unknown metric", signed(edit(`"euclidean"`, `"manhattan"`)), `"manhattan" is unknown`},
		{"cosine without normalisation", signed(edit(`"euclidean"`, `"cosine"`)), "normalisation is false"},
		{"an id twice", signed(edit(`"id":"s2"`, `"id":"s1"`)), `id "s1", which is empty or taken`},
		{"an index out of order", signed(edit(`"index":1`, `"index":7`)), "segment 1 has the index 7"},
		{"no transform", signed(edit(`"transform"`, `"transport"`)), "transform: unexpected end"},
		{"a spread of zero", signed(edit(`"spread": 63.1`, `"spread": 0`)), "not above 0"},
		{"features of another model", signed(edit(`"features": ["recency_days"`, `"features": ["recency"`)), "not those of the transform"},
		{"a digest of another model", signed(edit(`"converged": true,`, `"converged": true, "digest": "00",`)), "the digest says"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(c.data, "m.json")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if got := fault.Code(err); got != int(fault.Input) {
				t.Errorf("exit code %d, want %d", got, fault.Input)
			}
			if !strings.HasPrefix(err.Error(), "m.json: ") {
				t.Errorf("%q does not name the file", err)
			}
		})
	}
}

func TestReadFileNamesTheFile(t *testing.T) {
	folder := t.TempDir()
	for _, path := range []string{filepath.Join(folder, "none.json"), folder} {
		_, err := ReadFile(path)
		if fault.Code(err) != int(fault.Input) || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestLongerFieldsOfALaterProgramArePassedOver(t *testing.T) {
	data := bytes.Replace(encode(t, example()), []byte(`  "k": 2,`), []byte(`  "mood": {"sunny": [1]},`+"\n"+`  "k": 2,`), 1)
	if _, err := Decode(signed(data), "m.json"); err != nil {
		t.Error(err)
	}
}

func TestDigestIgnoresNamesAndSeesNumbers(t *testing.T) {
	same := map[string]func(m *Model){
		"names":      func(m *Model) { m.Segments[0].Name = "x" },
		"ids":        func(m *Model) { m.Segments[0].ID = "x" },
		"seed":       func(m *Model) { m.Origin.Seed++ },
		"time":       func(m *Model) { m.Origin.Created = time.Now() },
		"paths":      func(m *Model) { m.Origin.Sources = nil },
		"parents":    func(m *Model) { m.Parents = nil },
		"inertia":    func(m *Model) { m.Inertia++ },
		"iterations": func(m *Model) { m.Iterations++ },
	}
	other := map[string]func(m *Model){
		"metric":          func(m *Model) { m.Metric = Cosine },
		"count":           func(m *Model) { m.Counts[1]++ },
		"centroid":        func(m *Model) { m.Centroids[3] = math.Nextafter32(m.Centroids[3], 1) },
		"centroid's sign": func(m *Model) { m.Centroids[8] = float32(math.Copysign(float64(m.Centroids[8]), -1)) },
		"order":           func(m *Model) { n := m.Transform.Numeric; n[0].Name, n[1].Name = n[1].Name, n[0].Name },
	}
	want := example().Digest()
	for name, change := range same {
		m := example()
		if change(m); m.Digest() != want {
			t.Errorf("another %s gives another digest", name)
		}
	}
	for name, change := range other {
		m := example()
		if change(m); m.Digest() == want {
			t.Errorf("another %s gives the same digest", name)
		}
	}
}

// TestDigestSeesEveryFieldOfTheTransform changes each leaf of the example's transform in turn, so that a field which
// is added to package feature is held too as soon as the example has it.
func TestDigestSeesEveryFieldOfTheTransform(t *testing.T) {
	seen := map[string]string{weighted().Digest(): "the example"}
	for i := 0; ; i++ {
		m, n := weighted(), i
		path := touch(reflect.ValueOf(m.Transform).Elem(), &n, "transform")
		if path == "" {
			if i < 30 {
				t.Fatalf("only %d leaves were changed", i)
			}
			return
		}
		if was, ok := seen[m.Digest()]; ok {
			t.Errorf("changing %s gives the digest of %s", path, was)
		}
		seen[m.Digest()] = path
	}
}

// touch changes leaf number *n and gives its path, or counts *n down and gives "".
func touch(v reflect.Value, n *int, path string) string {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if found := touch(v.Field(i), n, path+"."+v.Type().Field(i).Name); found != "" {
				return found
			}
		}
		return ""
	case reflect.Slice:
		for i := range v.Len() {
			if found := touch(v.Index(i), n, fmt.Sprintf("%s[%d]", path, i)); found != "" {
				return found
			}
		}
		return ""
	case reflect.Pointer:
		if *n == 0 {
			*n--
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			} else {
				v.SetZero()
			}
			return path + " (presence)"
		}
		*n--
		if v.IsNil() {
			return ""
		}
		return touch(v.Elem(), n, path)
	}
	if *n > 0 {
		*n--
		return ""
	}
	*n--
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Float64:
		v.SetFloat(math.Nextafter(v.Float(), math.Inf(1)))
	case reflect.Int:
		v.SetInt(v.Int() + 1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	}
	return path
}

func TestEncodeRefusesWhatDecodeWouldRefuse(t *testing.T) {
	for name, spoil := range map[string]func(m *Model){
		"NaN":           func(m *Model) { m.Centroids[0] = float32(math.NaN()) },
		"few centroids": func(m *Model) { m.Centroids = m.Centroids[1:] },
		"no transform":  func(m *Model) { m.Transform = nil },
		"bad UTF-8":     func(m *Model) { m.Segments[0].Name = "\xff" },
		"bad level":     func(m *Model) { m.Transform.Categorical[0].Levels[0].Value = "\xff" },
		"rows":          func(m *Model) { m.Rows++ },
		"unfinished":    func(m *Model) { m.Metric, m.Transform.Normalize, m.Transform.Pending = Cosine, true, true },
	} {
		m := example()
		spoil(m)
		if _, err := m.Encode(); err == nil {
			t.Errorf("%s: encoded without an error", name)
		}
	}
}

func TestWriteFileReplacesWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.json")
	if err := WriteFile(path, example()); err != nil {
		t.Fatal(err)
	}
	bad := example()
	bad.K = 9
	if err := WriteFile(path, bad); err == nil {
		t.Fatal("a broken model was written")
	}
	if _, err := ReadFile(path); err != nil {
		t.Errorf("the old model is gone: %v", err)
	}
}
