package serve

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/hostile"
	"github.com/coterie-project/coterie/internal/lookup"
	"github.com/coterie-project/coterie/segment"
)

func TestOneAndManyGiveTheSameOverHTTP(t *testing.T) {
	r := start(t, shop(feature.Drop, false), usual, nil)
	const ann = `{"id": 7, "values": {"age": 58, "spend": 19.5, "education": "college", "gender": "f"}}`
	status, answer := r.call(t, "/v1/lookup", ann)
	one := results(t, answer)
	if status != http.StatusOK || len(one.Results) != 1 || one.Digest != r.holder.current.Load().Digest() {
		t.Fatalf("got %d, %s", status, answer)
	}
	if got := one.Results[0]; got.Segment != 2 || *got.ID != "7" || *got.SecondSegment != 1 || *got.Margin != *got.SecondDistance-got.Distance || len(got.Because) != 4 {
		t.Errorf("got %s, want segment 2 clearly", answer)
	}
	status, answer = r.call(t, "/v1/lookup:batch", `{"because": true, "rows": [`+ann+`, {"values": {"age": null, "spend": 1, "education": "doctor", "gender": "m"}}]}`)
	many := results(t, answer)
	if status != http.StatusOK || len(many.Results) != 2 || many.Results[1] != nil {
		t.Fatalf("got %d, %s, want null for the row that lacks an age", status, answer)
	}
	if diff := cmp.Diff(one.Results[0], many.Results[0]); diff != "" {
		t.Errorf("(-one +batch):\n%s", diff)
	}
	status, answer = r.call(t, "/v1/lookup:batch", `{"rows": [{"values": {"age": 20, "spend": 1, "education": "doctor", "gender": "m"}}]}`)
	if got := results(t, answer); status != http.StatusOK || got.Results[0].ID != nil || len(got.Results[0].Because) != 0 || got.Results[0].Segment != 0 {
		t.Errorf("got %d, %s, want no reasons", status, answer)
	}
	if status, answer = r.call(t, "/v1/lookup:batch", `{"rows": []}`); status != http.StatusOK || !strings.Contains(answer, `"results":[]`) {
		t.Errorf("no rows: got %d, %s", status, answer)
	}
}

func TestWhatIsWrongIsNamedOverHTTP(t *testing.T) {
	r := start(t, shop(feature.Fail, false), usual, nil)
	batch := func(row string) string {
		return `{"rows": [{"values": {"age": 1, "spend": 1, "education": "school", "gender": "f"}}, ` + row + `]}`
	}
	cases := []struct {
		path, body string
		field, say string
	}{
		{"/v1/lookup", ` `, "", "the body is empty"},
		{"/v1/lookup", `{`, "", "not whole JSON"},
		{"/v1/lookup", `{"values": {"age": 1`, "", "not whole JSON"},
		{"/v1/lookup", `{"values": {"age": 01}}`, "", "not JSON"},
		{"/v1/lookup", `{"values": {}} x`, "", "something follows"},
		{"/v1/lookup", `[1]`, "", "must be an object"},
		{"/v1/lookup", `{}`, "values", "is missing"},
		{"/v1/lookup", `{"values": 7}`, "values", "must be an object"},
		{"/v1/lookup", `{"values": null}`, "values", "must be an object"},
		{"/v1/lookup", `{"valeus": {}}`, "valeus", `did you mean \"values\"?`},
		{"/v1/lookup", `{"values": {}, "values": {}}`, "values", "twice"},
		{"/v1/lookup", `{"values": {"age": 1, "age": 2}}`, "values.age", "twice"},
		{"/v1/lookup", `{"values": {"agee": 1}}`, "values.agee", `did you mean \"age\"?`},
		{"/v1/lookup", `{"values": {"age": "1"}}`, "values.age", "without quotes"},
		{"/v1/lookup", `{"values": {"age": true}}`, "values.age", "must be a number"},
		{"/v1/lookup", `{"values": {"age": [1]}}`, "values.age", "must be a number"},
		{"/v1/lookup", `{"values": {"age": 1e999}}`, "values.age", "too large"},
		{"/v1/lookup", `{"values": {"gender": 1}}`, "values.gender", "must be a text"},
		{"/v1/lookup", `{"values": {"education": "none"}}`, "values.education", "school, college, doctor"},
		{"/v1/lookup", `{"values": {"age": 1, "spend": -1, "education": "school", "gender": "f"}}`, "values.spend", "-1: log1p needs values above -1"},
		{"/v1/lookup", `{"values": {"age": 1, "education": "school", "gender": "f"}}`, "values.spend", "no value"},
		{"/v1/lookup", `{"values": {"age": 1, "spend": 1, "education": "", "gender": "f"}}`, "values.education", "no value"},
		{"/v1/lookup", `{"values": {}, "because": 1}`, "because", "true or false"},
		{"/v1/lookup", `{"values": {}, "id": {}}`, "id", "must be a text or a number"},
		{"/v1/lookup:batch", `{}`, "rows", "is missing"},
		{"/v1/lookup:batch", `{"rows": {}}`, "rows", "must be a list"},
		{"/v1/lookup:batch", `{"row": []}`, "row", `did you mean \"rows\"?`},
		{"/v1/lookup:batch", batch(`7`), "rows[1]", "must be an object"},
		{"/v1/lookup:batch", batch(`{"because": true}`), "rows[1].because", "is unknown here"},
		{"/v1/lookup:batch", batch(`{"values": {"age": "x"}}`), "rows[1].values.age", "is a text"},
		{"/v1/lookup:batch", batch(`{"values": {"age": 1}}`), "rows[1].values.spend", "no value"},
		{"/v1/lookup:batch", batch(`{"id": 1}`), "rows[1].values", "is missing"},
	}
	for _, c := range cases {
		status, answer := r.send(t, http.MethodPost, c.path, c.body)
		var doc struct{ Error failure }
		if err := json.Unmarshal([]byte(answer), &doc); err != nil || status != http.StatusBadRequest || doc.Error.Field != c.field || !strings.Contains(answer, c.say) {
			t.Errorf("%s %s: got %d, %s, want 400 for field %q: %s", c.path, c.body, status, answer, c.field, c.say)
		}
	}
	for _, c := range []struct {
		method, path string
		status       int
		say          string
	}{
		{http.MethodGet, "/v1/lookup", http.StatusMethodNotAllowed, "use POST"},
		{http.MethodPost, "/v1/model", http.StatusMethodNotAllowed, "use GET"},
		{http.MethodGet, "/v1/modle", http.StatusNotFound, "did you mean /v1/model?"},
		{http.MethodGet, "/", http.StatusNotFound, "there are /v1/lookup, "},
	} {
		if status, answer := r.send(t, c.method, c.path, ""); status != c.status || !strings.Contains(answer, c.say) {
			t.Errorf("%s %s: got %d, %s, want %d: %s", c.method, c.path, status, answer, c.status, c.say)
		}
	}
}

// schema is what is read of the description.
type schema struct {
	Required   []string
	Properties map[string]struct {
		MaxItems   int
		Type       any
		Properties map[string]any
	}
}

func TestTheDescriptionIsThatOfTheHandlers(t *testing.T) {
	r := start(t, shop(feature.Mean, false), usual, nil)
	status, text := r.call(t, "/openapi.json", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct{ Example json.RawMessage }
			}
			Responses map[string]any
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || status != http.StatusOK || !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Fatalf("got %d, version %q, %v", status, doc.OpenAPI, err)
	}
	var described, handled []string
	for path, methods := range doc.Paths {
		for method := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	for _, to := range r.routes() {
		handled = append(handled, to.method+" "+to.path)
	}
	slices.Sort(described)
	slices.Sort(handled)
	if diff := cmp.Diff(handled, described); diff != "" {
		t.Errorf("paths (-handled +described):\n%s", diff)
	}
	for name, value := range map[string]any{"Answers": answers{}, "Result": lookup.Result{}, "Because": segment.Because{}, "Model": modelDocument{},
		"Feature": featureDocument{}, "Segment": segmentDocument{}} {
		if diff := cmp.Diff(fields(value), slices.Sorted(maps.Keys(doc.Components.Schemas[name].Properties))); diff != "" {
			t.Errorf("%s (-Go +described):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(fields(failure{}), slices.Sorted(maps.Keys(doc.Components.Schemas["Failure"].Properties["error"].Properties))); diff != "" {
		t.Errorf("Failure (-Go +described):\n%s", diff)
	}
	if got := doc.Components.Schemas["Batch"].Properties["rows"].MaxItems; got != lookup.MaxRows {
		t.Errorf("a batch may have %d rows, want %d", got, lookup.MaxRows)
	}
	// What a question may hold, the decoder takes; of what it refuses, the description says nothing.
	for key := range doc.Components.Schemas["Question"].Properties {
		body := fmt.Sprintf(`{"values": {}, %q: %s}`, key, map[string]string{"id": `"x"`, "because": "false", "values": "{}"}[key])
		if _, err := decodeOne(r.holder.current.Load().Finder, []byte(body)); err != nil && key != "values" {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

// fields are the JSON names of a struct's fields, sorted.
func fields(value any) []string {
	var names []string
	for i := range reflect.TypeOf(value).NumField() {
		if name, _, _ := strings.Cut(reflect.TypeOf(value).Field(i).Tag.Get("json"), ","); name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestTheModelIsDescribed(t *testing.T) {
	r := start(t, shop(feature.Mean, false), usual, nil)
	_, answer := r.call(t, "/v1/model", "")
	var got modelDocument
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	want := modelDocument{Digest: shop(feature.Mean, false).Digest(), Metric: "euclidean", Missing: "mean",
		Features: []featureDocument{{"age", "number", nil}, {"spend", "number", nil}, {"education", "ordered", []string{"school", "college", "doctor"}},
			{"gender", "categorical", []string{"f", "m"}}},
		Segments: []segmentDocument{{0, "s1", "Segment 1", 1}, {1, "s2", "Segment 2", 2}, {2, "s3", "Segment 3", 3}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMetricsCountRequestsAndRows(t *testing.T) {
	r := start(t, shop(feature.Mean, false), usual, nil)
	r.call(t, "/v1/lookup", `{"values": {}}`)
	r.call(t, "/v1/lookup:batch", `{"rows": [{"values": {}}, {"values": {}}]}`)
	r.call(t, "/v1/lookup", `{`)
	_, text := r.call(t, "/metrics", "")
	for _, line := range []string{`coterie_serve_requests_total{api="http",call="lookup",code="200"} 1`, `coterie_serve_requests_total{api="http",call="lookup",code="400"} 1`,
		`coterie_serve_requests_total{api="http",call="lookup:batch",code="200"} 1`, `coterie_serve_rows_total{api="http"} 3`, `coterie_serve_in_flight{api="http"} 0`,
		`coterie_serve_seconds_count{api="http",call="lookup"} 2`, `coterie_serve_model_info{digest="` + r.holder.current.Load().Digest() + `"} 1`,
		`coterie_serve_model_loads_total 1`, `coterie_serve_model_unusable 0`, `coterie_serve_connections_refused_total{api="grpc"} 0`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("got no line %s", line)
		}
	}
}

// FuzzDecode holds that a body is either refused with a 400 or becomes rows that can be placed or refused, and that it
// takes no more memory than a small multiple of itself.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{`{"values": {"age": 1, "spend": 2, "education": "school", "gender": null}, "id": "x", "because": true}`,
		`{"rows": [{"values": {"age": 1e308}}, {"id": 7, "values": {}}], "because": false}`, `{"rows": [`, `{"values": {"age": "\ud800"}}`, `[[[[[[`, "{\"a\x00\":1}"} {
		f.Add([]byte(body))
	}
	finder := lookup.New(shop(feature.Mean, false))
	f.Fuzz(func(t *testing.T, body []byte) {
		// It is decoded twice, and what is right is placed.
		hostile.Ceiling(t, len(body), 2<<20, 256, func() {
			for _, decode := range []func(*lookup.Finder, []byte) (*question, error){decodeOne, decodeBatch} {
				q, err := decode(finder, body)
				if err != nil {
					if known, ok := err.(*failure); !ok || known.Status != http.StatusBadRequest || known.Message == "" {
						t.Fatalf("got %#v, want a failure of the request", err)
					}
					continue
				}
				if len(q.ids) != q.table.Rows || q.table.Rows > lookup.MaxRows {
					t.Fatalf("%d ids for %d rows", len(q.ids), q.table.Rows)
				}
				a, err := finder.Find(q.table)
				if err != nil {
					if wrongValue(err, "").Status != http.StatusBadRequest {
						t.Fatal(err)
					}
					continue
				}
				for i := range a.Segment {
					if r := a.Result(i, false); r == nil || r.Segment < 0 || r.Segment > 2 || math.IsNaN(r.Distance) {
						t.Fatalf("row %d: got %+v", i, r)
					}
				}
			}
		})
	})
}

func TestBodiesTakeLittleMemory(t *testing.T) {
	finder := lookup.New(shop(feature.Mean, false))
	for name, body := range map[string]string{
		"rows":      `{"rows": [` + strings.Repeat(`{"values":{}},`, lookup.MaxRows-1) + `{"values":{}}]}`,
		"too many":  `{"rows": [` + strings.Repeat(`{"values":{}},`, 4*lookup.MaxRows) + `{"values":{}}]}`,
		"nesting":   strings.Repeat(`[`, 1<<20),
		"objects":   strings.Repeat(`{"values":`, 1<<17),
		"long text": `{"values": {"gender": "` + strings.Repeat("x", 1<<20) + `"}}`,
		"long name": `{"values": {"` + strings.Repeat("x", 1<<20) + `": 1}}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		decodeOne(finder, []byte(body))
		decodeBatch(finder, []byte(body))
		runtime.ReadMemStats(&after)
		if taken, most := after.TotalAlloc-before.TotalAlloc, uint64(40*len(body)+1<<20); taken > most {
			t.Errorf("%s: %d bytes are taken for a body of %d, want at most %d", name, taken, len(body), most)
		}
	}
}
