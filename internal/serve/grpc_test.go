package serve

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/coterie-project/coterie/feature"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// ann is a customer of the shop.
var ann = &coteriev1.FindRequest{Numbers: map[string]float64{"age": 58, "spend": 19.5}, Texts: map[string]string{"education": "college", "gender": "f"}}

// columns are Ann and others as a batch.
func columns(ages ...float64) *coteriev1.FindBatchRequest {
	r := &coteriev1.FindBatchRequest{Rows: uint32(len(ages)), Numbers: []*coteriev1.NumberColumn{{Feature: "age", Values: ages}, {Feature: "spend"}},
		Texts: []*coteriev1.TextColumn{{Feature: "education"}, {Feature: "gender"}}}
	for range ages {
		r.Numbers[1].Values = append(r.Numbers[1].Values, 19.5)
		r.Texts[0].Values = append(r.Texts[0].Values, "college")
		r.Texts[1].Values = append(r.Texts[1].Values, "f")
	}
	return r
}

func TestGRPCAnswersAsHTTPDoes(t *testing.T) {
	r := start(t, shop(feature.Drop, false), usual, nil)
	client := coteriev1.NewLookupClient(r.conn)
	one, err := client.Find(t.Context(), ann)
	if err != nil {
		t.Fatal(err)
	}
	_, answer := r.call(t, "/v1/lookup", `{"values": {"age": 58, "spend": 19.5, "education": "college", "gender": "f"}}`)
	want := results(t, answer)
	web := want.Results[0]
	if one.Digest != want.Digest || int(one.Segment) != web.Segment || one.Name != web.Name || float64(one.Distance) != web.Distance ||
		int(one.SecondSegment) != *web.SecondSegment || float64(one.SecondDistance) != *web.SecondDistance || len(one.Because) != len(web.Because) {
		t.Errorf("got %v, want %s", one, answer)
	}
	for i, b := range web.Because {
		got := one.Because[i]
		if got.Feature != b.Feature || got.Pull != b.Pull || got.Centroid != b.Centroid || (got.GetText() != b.Value && got.GetNumber() != b.Value) {
			t.Errorf("reason %d: got %v, want %+v", i, got, b)
		}
	}
	many := columns(58, math.NaN(), 20)
	many.Because = true
	got, err := client.FindBatch(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != want.Digest || len(got.Segments) != 3 || got.Segments[0] != one.Segment || got.Distances[0] != one.Distance || got.SecondSegments[0] != one.SecondSegment ||
		got.SecondDistances[0] != one.SecondDistance || got.Segments[1] != -1 || got.SecondSegments[1] != -1 || got.Distances[1] == got.Distances[1] || got.Segments[2] != 0 {
		t.Errorf("got %v, want the first as alone and the second left out", got)
	}
	if diff := cmp.Diff(one.Because, got.Because[0].Because, protocmp.Transform()); diff != "" || len(got.Because[1].Because) != 0 {
		t.Errorf("reasons (-one +batch):\n%s", diff)
	}
	model, err := client.Model(t.Context(), &coteriev1.ModelRequest{})
	_, answer = r.call(t, "/v1/model", "")
	if data, _ := json.Marshal(document(model)); err != nil || string(data)+"\n" != answer {
		t.Errorf("got %v, %v, want %s", model, err, answer)
	}
	_, text := r.call(t, "/metrics", "")
	for _, line := range []string{`coterie_serve_requests_total{api="grpc",call="FindBatch",code="OK"} 1`, `coterie_serve_rows_total{api="grpc"} 4`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("got no line %s", line)
		}
	}
}

func TestWhatIsWrongIsNamedOverGRPC(t *testing.T) {
	r := start(t, shop(feature.Fail, false), usual, nil)
	client := coteriev1.NewLookupClient(r.conn)
	one := func(numbers map[string]float64, texts map[string]string) error {
		_, err := client.Find(t.Context(), &coteriev1.FindRequest{Numbers: numbers, Texts: texts})
		return err
	}
	many := func(change func(*coteriev1.FindBatchRequest)) error {
		r := columns(20, 40)
		change(r)
		_, err := client.FindBatch(t.Context(), r)
		return err
	}
	cases := []struct {
		err error
		say string
	}{
		{one(map[string]float64{"agee": 1}, nil), `did you mean "age"?`},
		{one(map[string]float64{"gender": 1}, nil), "gender: its values are texts"},
		{one(nil, map[string]string{"age": "1"}), "age: its values are numbers"},
		{one(nil, map[string]string{"education": "none"}), "school, college, doctor"},
		{one(map[string]float64{"age": math.Inf(-1), "spend": 1}, ann.Texts), "age: -Inf: not a finite number"},
		{one(map[string]float64{"age": 1}, ann.Texts), "spend: no value"},
		{many(func(r *coteriev1.FindBatchRequest) { r.Rows = 3 }), "age: 2 values for 3 rows"},
		{many(func(r *coteriev1.FindBatchRequest) { r.Rows = math.MaxUint32 }), "at most 10000"},
		{many(func(r *coteriev1.FindBatchRequest) { r.Numbers = append(r.Numbers, r.Numbers[0]) }), "age: is there twice"},
		{many(func(r *coteriev1.FindBatchRequest) { r.Numbers[1].Values[1] = -1 }), "row 1: spend: -1: log1p"},
		{many(func(r *coteriev1.FindBatchRequest) { r.Texts[1].Feature = "sex" }), `the model has no feature "sex"`},
		{many(func(r *coteriev1.FindBatchRequest) { r.Texts = r.Texts[1:] }), "row 0: education: no value"},
	}
	for _, c := range cases {
		if status.Code(c.err) != codes.InvalidArgument || !strings.Contains(c.err.Error(), c.say) {
			t.Errorf("got %v, want InvalidArgument: %s", c.err, c.say)
		}
	}
}

func TestHealthAndReflectionAreServed(t *testing.T) {
	r := start(t, shop(feature.Mean, false), usual, nil)
	for _, name := range []string{"", coteriev1.Lookup_ServiceDesc.ServiceName} {
		got, err := healthpb.NewHealthClient(r.conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: name})
		if err != nil || got.Status != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q: got %v, %v, want it to serve", name, got, err)
		}
	}
	stream, err := reflectionpb.NewServerReflectionClient(r.conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.CloseSend()
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil || !strings.Contains(got.String(), "coterie.v1.Lookup") {
		t.Errorf("got %v, %v, want the service among those that are listed", got, err)
	}
}
