package wire

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/kmeans"
)

func encodedTask(t tester, task *Task) []byte {
	t.Helper()
	data, err := EncodeTask(task, nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func encodedPartial(t tester, p *Partial, packing Packing) []byte {
	t.Helper()
	data, err := EncodePartial(p, packing)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// merged merges in an order; what it merges is not used again.
func merged(parts []*Partial, order []int) *Partial {
	whole := new(Partial)
	for _, i := range order {
		whole.Merge(parts[i])
	}
	whole.Unpack()
	return whole
}

func TestAnswersMergeOverTheNetworkAsTheyDoInOneProcess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "weighted"))
		packing := rapid.SampledFrom([]Packing{PackNone, PackS2, PackZstd}).Draw(t, "packing")
		order := rapid.Permutation([]int{0, 1, 2}).Draw(t, "order")
		for _, r := range w.rounds() {
			compareMerged(t, r, packing, order)
		}
	})
	compareMerged(t, newWorld(t, 8, false).quantiles(), PackNone, []int{1, 2, 0})
}

func compareMerged(t tester, r round, packing Packing, order []int) {
	t.Helper()
	task, err := DecodeTask(encodedTask(t, r.task))
	if err != nil {
		t.Fatalf("%s: task: %v", r.name, err)
	}
	sent := make([]*Partial, len(r.parts))
	for i, p := range r.parts {
		if sent[i], err = DecodePartial(encodedPartial(t, p, packing), task.Context(testPartitions)); err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
	}
	there, here := merged(sent, order), merged(r.parts, []int{0, 1, 2})
	if there.Packed != nil || (there.Sums == nil) != (here.Sums == nil) {
		t.Fatalf("%s: merged sums are packed = %v", r.name, there.Packed != nil)
	}
	if got, want := encodedPartial(t, there, PackNone), encodedPartial(t, here, PackNone); !bytes.Equal(got, want) {
		t.Fatalf("%s: packing %q, merged in order %v: got\n%x, want\n%x", r.name, packing, order, got, want)
	}
	if diff := cmp.Diff(here, there, cmp.FilterPath(encodedAlone, cmp.Ignore()), cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Partial{})); diff != "" {
		t.Fatalf("%s (-here +there):\n%s", r.name, diff)
	}
}

// encodedAlone are the parts that compare by their canonical bytes only.
func encodedAlone(p cmp.Path) bool {
	return slices.Contains([]string{".Fault", ".Statistics", ".Counts", ".Directions", ".Totals", ".Distinct", ".Seed", ".Farthest", ".Inertia", ".Spread"},
		p.Last().String())
}

func TestTasksComeBackAsTheyWere(t *testing.T) {
	for _, weighted := range []bool{false, true} {
		w := newWorld(t, 5, weighted)
		for _, r := range append(w.rounds(), w.quantiles()) {
			data := encodedTask(t, r.task)
			task, err := DecodeTask(data)
			if err != nil {
				t.Fatalf("%s: %v", r.name, err)
			}
			want := *r.task
			if want.Reload != nil { // a reload is of its task's round
				reload := *want.Reload
				reload.Epoch, reload.Round = want.Epoch, want.Round
				want.Reload = &reload
			}
			if diff := cmp.Diff(&want, task, cmpopts.EquateEmpty(), everyField, centroids); diff != "" {
				t.Errorf("%s (-want +got):\n%s", r.name, diff)
			}
			if again := encodedTask(t, task); !bytes.Equal(again, data) {
				t.Errorf("%s: encoded again: got %x, want %x", r.name, again, data)
			}
			body, err := EncodeBody(r.task)
			if err != nil {
				t.Fatal(err)
			}
			if shared, err := EncodeTask(r.task, body); err != nil || !bytes.Equal(shared, data) {
				t.Errorf("%s: with the body of the round: got %x, %v, want %x", r.name, shared, err, data)
			}
		}
	}
}

func TestEqualPartialsHaveEqualBytesInAnyOrderOfMerging(t *testing.T) {
	var all [][]byte
	var names []string
	for turn := range testPartitions {
		w := newWorld(t, 9, true)
		for i, r := range append(w.rounds(), w.quantiles()) {
			whole := merged(r.parts, []int{turn, (turn + 2) % 3, (turn + 1) % 3})
			data := encodedPartial(t, whole, PackS2)
			if turn == 0 {
				all, names = append(all, data), append(names, r.name)
			} else if !bytes.Equal(data, all[i]) {
				t.Errorf("%s: turned by %d: got %x, want %x", names[i], turn, data, all[i])
			}
		}
	}
}

// A worker that answers another task than the one it was given, or whose memory is damaged, is refused before its
// answer is merged.
func TestAnswersToOtherTasksAreRefused(t *testing.T) {
	w := newWorld(t, 1, false)
	find := func(w *world, name string) round {
		rounds := append(w.rounds(), w.quantiles())
		return rounds[slices.IndexFunc(rounds, func(r round) bool { return r.name == name })]
	}
	wide := newWorld(t, 1, true)
	for name, c := range map[string]struct {
		answer  string
		from    *world
		context func(*Context)
	}{
		"another k":                       {"iterate", w, func(c *Context) { c.K++ }},
		"another d":                       {"iterate", w, func(c *Context) { c.D-- }},
		"weights that were not asked":     {"iterate", wide, func(c *Context) { c.Weighted = false }},
		"weights that are missing":        {"iterate", w, func(c *Context) { c.Weighted = true }},
		"sums of a round without any":     {"iterate", w, func(c *Context) { c.Kind, c.K = Load, 0 }},
		"no inertia":                      {"iterate", w, func(c *Context) { c.Kind = Score }},
		"no sums":                         {"farthest", w, func(c *Context) { c.Kind = Iterate }},
		"no farthest":                     {"iterate", w, func(c *Context) { c.Kind = Farthest }},
		"no statistics":                   {"keys", w, func(c *Context) { c.Kind = Statistics }},
		"no counts":                       {"keys", w, func(c *Context) { c.Kind = Quantiles }},
		"no directions":                   {"keys", w, func(c *Context) { c.Kind = Directions }},
		"no totals":                       {"keys", w, func(c *Context) { c.Kind = Load }},
		"no seed":                         {"keys", w, func(c *Context) { c.Kind = Seed }},
		"statistics of other columns":     {"statistics", w, func(c *Context) { c.Spec = &feature.Spec{Numeric: []string{"z"}} }},
		"statistics of nothing":           {"statistics", w, func(c *Context) { c.Spec = nil }},
		"counts of nothing":               {"quantiles", w, func(c *Context) { c.Search = nil }},
		"directions of nothing":           {"directions", w, func(c *Context) { c.Transform = nil }},
		"totals of other columns":         {"load", w, func(c *Context) { c.D++ }},
		"another number of points":        {"load", w, func(c *Context) { c.Limit++ }},
		"another number of far rows":      {"farthest", w, func(c *Context) { c.Limit-- }},
		"clusters beyond the sums":        {"farthest", w, func(c *Context) { c.K = 1 }},
		"far rows of other columns":       {"farthest", w, func(c *Context) { c.D++ }},
		"a partition that does not exist": {"keys", w, func(c *Context) { c.Partitions = 2 }},
		"levels of other columns":         {"keys", w, func(c *Context) { c.Spec = &feature.Spec{Categorical: []string{"c", "d"}} }},
		"rows of another draw":            {"seed: race", w, func(c *Context) { c.Seed = &kmeans.SeedTask{Race: 2} }},
		"seed of nothing":                 {"seed: race", w, func(c *Context) { c.Seed = nil }},
		"drawn rows of other columns":     {"seed: sample", w, func(c *Context) { c.D++ }},
		"tries of nothing":                {"seed: try", w, func(c *Context) { c.Seed = &kmeans.SeedTask{} }},
		"fewer tries":                     {"seed: potential", w, func(c *Context) { c.Seed = &kmeans.SeedTask{Try: w.centroids} }},
		"weights of nothing":              {"seed: weigh", w, func(c *Context) { c.Seed = &kmeans.SeedTask{} }},
		"fewer weights":                   {"seed: potential", w, func(c *Context) { c.Seed = &kmeans.SeedTask{Candidates: w.centroids, Weigh: true} }},
		"centers of nothing":              {"seed: recluster", w, func(c *Context) { c.Seed = &kmeans.SeedTask{} }},
		"centers of another k":            {"seed: recluster", w, func(c *Context) { c.Seed = &kmeans.SeedTask{Recluster: true, Candidates: w.centroids, K: 3} }},
		"no strands":                      {"iterate", w, func(c *Context) { c.Strands = make([]Context, 1) }},
		"a strand that was not asked":     {"together", w, func(c *Context) { c.Strands = c.Strands[:3] }},
		"no strands at all were asked":    {"together", w, func(c *Context) { c.Strands = nil }},
		"a strand too few":                {"together", w, func(c *Context) { c.Strands = append(slices.Clone(c.Strands), c.Strands[0]) }},
		"strands in another order":        {"together", w, func(c *Context) { slices.Reverse(c.Strands) }},
		"another k in a strand":           {"together", w, func(c *Context) { c.Strands[2].K++ }},
		"no inertia in a strand":          {"together", w, func(c *Context) { c.Strands[0].Kind = Score }},
		"a context beyond the limits":     {"iterate", w, func(c *Context) { c.K, c.D = kmeans.MaxClusters, feature.MaxOutputs }},
	} {
		r := find(c.from, c.answer)
		data := encodedPartial(t, merged(r.parts, []int{0, 1, 2}), PackNone)
		context := r.task.Context(testPartitions)
		if _, err := DecodePartial(data, context); err != nil {
			t.Errorf("%s: as it was asked: %v", name, err)
		}
		c.context(&context)
		if _, err := DecodePartial(data, context); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
}

func TestPartialsThatNoWorkerSendsAreRefused(t *testing.T) {
	context := Context{Spec: &feature.Spec{Categorical: []string{"c"}}, K: 2, D: 1, Partitions: 2}
	negative := kmeans.NewSums(2, 1, false)
	negative.Counts[1] = -1
	for name, p := range map[string]*Partial{
		"negative intake":      {Intake: Intake{Missing: -1}},
		"negative unseen":      {Intake: Intake{Unseen: []int64{-1}}},
		"negative moved":       {Moved: -1},
		"negative dropped":     {Dropped: -1},
		"a weight that is NaN": {Largest: nan()},
		"a negative weight":    {Largest: -1},
		"a bad row below 0":    {Bad: []BadRow{{Row: -1}}},
		"a fault below 0":      {Fault: &RowFault{Row: -1, Err: errors.New("x")}},
		"a fault of nothing":   {Fault: &RowFault{Row: 1}},
		"negative counts":      {Sums: negative},
		"a partition twice":    {IDs: []IDSummary{{Partition: 1}, {Partition: 1}}},
		"negative ids":         {IDs: []IDSummary{{Partition: 1, Count: -1}}},
		"texts that ascend":    {IDs: []IDSummary{{Partition: 1, Ascending: true}}},
	} {
		if _, err := DecodePartial(encodedPartial(t, p, PackNone), context); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
	for _, p := range []*Partial{{}, {IDs: []IDSummary{{Partition: 1}, {Partition: 0}}}, {Bad: []BadRow{{Row: 3}, {Row: 1}}}} { // encoding sorts
		if _, err := DecodePartial(encodedPartial(t, p, PackNone), context); err != nil {
			t.Errorf("%+v: got %v, want none", p, err)
		}
	}
	twice := append(encodedPartial(t, &Partial{Moved: 1}, PackNone), encodedPartial(t, &Partial{Moved: 2}, PackNone)...)
	if _, err := DecodePartial(twice, context); !errors.Is(err, ErrFormat) {
		t.Errorf("a field twice: got %v, want ErrFormat", err)
	}
}

func TestTasksThatCannotBeDoneAreRefused(t *testing.T) {
	w := newWorld(t, 3, false)
	d := w.transform.Width()
	other := &Input{Spec: &feature.Spec{Numeric: []string{"z"}, Scale: feature.None, Missing: feature.Fail}}
	narrow := kmeans.NewCentroids(2, d-1)
	broken := w.centroids.Clone()
	broken.Values[3] = float32(nan())
	reclustering := func(change func(s *kmeans.SeedTask)) *Task {
		s := &kmeans.SeedTask{Candidates: w.centroids, Recluster: true, Masses: []uint64{1, 2, 3, 4}, K: 2, Grid: w.points[0].Grid()}
		change(s)
		return &Task{Kind: Seed, Seed: s, Reload: w.load}
	}
	iterating := func(run int) *Task { return &Task{Kind: Iterate, Run: run, Centroids: w.centroids} }
	reclusteringAs := func(run int) *Task {
		task := reclustering(func(*kmeans.SeedTask) {})
		task.Run, task.Reload = run, nil
		return task
	}
	var many []*Task
	for run := range MaxStrands + 1 {
		many = append(many, iterating(run))
	}
	if _, err := DecodeTask(encodedTask(t, &Task{Kind: Together, Strands: many[:MaxStrands]})); err != nil {
		t.Errorf("as many strands as may be: %v", err)
	}
	for name, task := range map[string]*Task{
		"no kind":                       {},
		"an unknown kind":               {Kind: "dance", Input: w.input},
		"keys without input":            {Kind: Keys},
		"a label without input":         {Kind: Label, Centroids: w.centroids},
		"quantiles without search":      {Kind: Quantiles, Input: w.input},
		"a load without transform":      {Kind: Load, Input: w.input},
		"a seed without seed":           {Kind: Seed, Reload: w.load},
		"an iteration without start":    {Kind: Iterate, Reload: w.load},
		"a reload without transform":    {Kind: Iterate, Centroids: w.centroids, Reload: &Task{Input: w.input}},
		"a search without input":        {Kind: Iterate, Centroids: w.centroids, Search: w.search},
		"partitions out of order":       {Kind: Keys, Input: w.input, Partitions: []int{2, 1}},
		"a partition twice":             {Kind: Keys, Input: w.input, Partitions: []int{2, 2}},
		"a transform of other columns":  {Kind: Load, Input: other, Transform: w.transform},
		"centroids of other columns":    {Kind: Iterate, Centroids: narrow, Reload: w.load},
		"candidates of other columns":   {Kind: Seed, Seed: &kmeans.SeedTask{Candidates: narrow, Potential: true}, Reload: w.load},
		"centroids that are not finite": {Kind: Iterate, Centroids: broken},
		"centroids of no rows":          {Kind: Iterate, Centroids: kmeans.NewCentroids(0, 2)},
		"no farthest rows":              {Kind: Farthest, Centroids: w.centroids},
		"too many points to look for":   {Kind: Load, Input: w.input, Transform: w.transform, K: kmeans.MaxClusters + 1},
		"a weight that is not finite":   {Kind: Keys, Input: w.input, Largest: nan()},
		"an unknown policy":             {Kind: Keys, Input: &Input{Spec: w.input.Spec, BadRows: "keep"}},
		"another unknown policy":        {Kind: Keys, Input: &Input{Spec: w.input.Spec, Duplicates: "keep"}},
		"a spec of nothing":             {Kind: Keys, Input: &Input{Spec: new(feature.Spec)}},
		"a race without candidates":     {Kind: Seed, Seed: &kmeans.SeedTask{Race: 2}},
		"weights of no candidates":      {Kind: Seed, Seed: &kmeans.SeedTask{Weigh: true}},
		"tries beside no candidates":    {Kind: Seed, Seed: &kmeans.SeedTask{Try: w.centroids}},
		"tries of other columns":        {Kind: Seed, Seed: &kmeans.SeedTask{Candidates: w.centroids, Try: narrow}},
		"a chance that is not a number": {Kind: Seed, Seed: &kmeans.SeedTask{Threshold: nan()}},
		"a reclustering of nothing":     {Kind: Seed, Seed: &kmeans.SeedTask{Recluster: true, K: 1}},
		"a reclustering into nothing":   reclustering(func(s *kmeans.SeedTask) { s.K = 0 }),
		"a mass too few":                reclustering(func(s *kmeans.SeedTask) { s.Masses = s.Masses[1:] }),
		"a grid too few":                reclustering(func(s *kmeans.SeedTask) { s.Grid = s.Grid[1:] }),
		"a mass beyond the heaviest":    reclustering(func(s *kmeans.SeedTask) { s.Masses[1] = kmeans.WeightOne + 1 }),
		"a grid that no transform has":  reclustering(func(s *kmeans.SeedTask) { s.Grid = append([]int{901}, s.Grid[1:]...) }),
		"a damaged transform":           {Kind: Load, Input: w.input, Transform: &feature.Transform{Scale: "cubic"}},
		"the search of another spec":    {Kind: Quantiles, Input: other, Search: w.search},
		"nothing together":              {Kind: Together, Reload: w.load},
		"strands of one run":            {Kind: Iterate, Centroids: w.centroids, Strands: []*Task{iterating(1)}},
		"the same run twice":            {Kind: Together, Strands: []*Task{iterating(1), iterating(1)}},
		"a strand that reads rows":      {Kind: Together, Strands: []*Task{{Kind: Load, Input: w.input, Transform: w.transform}}},
		"strands within a strand":       {Kind: Together, Strands: []*Task{{Kind: Together, Strands: []*Task{iterating(1)}}}},
		"a strand without centroids":    {Kind: Together, Strands: []*Task{iterating(1), {Kind: Score, Run: 2}}},
		"a strand of other columns":     {Kind: Together, Reload: w.load, Strands: []*Task{{Kind: Iterate, Centroids: narrow}}},
		"strands of different columns":  {Kind: Together, Strands: []*Task{iterating(1), {Kind: Iterate, Run: 2, Centroids: narrow}}},
		"a strand that is not finite":   {Kind: Together, Strands: []*Task{{Kind: Iterate, Centroids: broken}}},
		"more strands than share":       {Kind: Together, Strands: many},
		"a reclustering beside rows":    {Kind: Together, Strands: []*Task{iterating(1), reclusteringAs(2)}},
	} {
		data, err := EncodeTask(task, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := DecodeTask(data); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
	reload := *w.load
	reload.Reload = w.load
	for name, task := range map[string]*Task{
		"a reload with a reload":   {Kind: Iterate, Centroids: w.centroids, Reload: &reload},
		"a negative partition":     {Kind: Keys, Input: w.input, Partitions: []int{-1}},
		"a negative k":             {Kind: Keys, Input: w.input, K: -1},
		"a negative run":           {Kind: Iterate, Centroids: w.centroids, Run: -1},
		"a strand below 0":         {Kind: Together, Strands: []*Task{{Kind: Iterate, Centroids: w.centroids, Run: -1}}},
		"more rows than are drawn": {Kind: Seed, Seed: &kmeans.SeedTask{Uniform: kmeans.MaxClusters + 1}},
		"an id that is not UTF-8":  {Kind: Keys, Input: &Input{Spec: w.input.Spec, ID: "\xff"}},
		"an owner that is not":     {Kind: Keys, Input: w.input, Owners: []string{"\xff"}},
	} {
		if _, err := EncodeTask(task, nil); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: encoding: got %v, want ErrFormat", name, err)
		}
	}
}

func TestOneBadRowMoreThanTheLimitIsKeptWhoeverReadThem(t *testing.T) {
	part := func(from int64) *Partial {
		p := &Partial{Bad: make([]BadRow, MaxQuarantined-1)}
		for i := range p.Bad {
			p.Bad[i].Row = from + int64(i)
		}
		return p
	}
	whole := new(Partial)
	for _, from := range []int64{MaxQuarantined, 0} { // the later ones are there first
		whole.Merge(part(from))
	}
	if n := len(whole.Bad); n > MaxQuarantined+MaxQuarantined/4 {
		t.Errorf("%d rows are kept, a quarter above the limit is enough", n)
	}
	whole.Unpack()
	if n := len(whole.Bad); n != MaxQuarantined+1 || whole.Bad[0].Row != 0 || whole.Bad[n-1].Row != MaxQuarantined+1 {
		t.Errorf("got %d rows, from %d to %d", n, whole.Bad[0].Row, whole.Bad[n-1].Row)
	}
	data := encodedPartial(t, whole, PackNone)
	back, err := DecodePartial(data, Context{})
	if err != nil || len(back.Bad) != MaxQuarantined+1 {
		t.Fatalf("got %v, want %d rows", err, MaxQuarantined+1)
	}
	one := encodedPartial(t, &Partial{Bad: []BadRow{{Row: MaxQuarantined + 2}}}, PackNone)
	if _, err := DecodePartial(append(data, one...), Context{}); !errors.Is(err, ErrFormat) {
		t.Errorf("one more: got %v, want ErrFormat", err)
	}
}

func TestSumsAndTotalsComeBackForCheckpoints(t *testing.T) {
	for _, weighted := range []bool{false, true} {
		w := newWorld(t, 2, weighted)
		s, d := w.assign(0, nil), w.transform.Width()
		for _, packing := range []Packing{PackNone, PackS2, PackZstd} {
			m, err := EncodeSums(s, packing)
			if err != nil {
				t.Fatal(err)
			}
			back, err := DecodeSums(m, testClusters, d)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s, back); diff != "" {
				t.Errorf("packing %q (-want +got):\n%s", packing, diff)
			}
			if _, err := DecodeSums(m, testClusters+1, d); !errors.Is(err, ErrFormat) {
				t.Errorf("of another k: got %v, want ErrFormat", err)
			}
		}
		totals := kmeans.NewTotals(d)
		totals.Add(w.points[0])
		back, err := DecodeTotals(EncodeTotals(totals), d)
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(EncodeTotals(back), EncodeTotals(totals)) || back.Rows != testRows {
			t.Errorf("totals: got %v, want %v", back, totals)
		}
	}
	if _, err := EncodeSums(kmeans.NewSums(1, 1, false), "lzma"); !errors.Is(err, ErrFormat) {
		t.Errorf("an unknown packing: got %v, want ErrFormat", err)
	}
	if _, err := DecodeSums(nil, 2, 2); !errors.Is(err, ErrFormat) {
		t.Errorf("no sums: got %v, want ErrFormat", err)
	}
	if _, err := DecodeTotals(nil, 2); !errors.Is(err, ErrFormat) {
		t.Errorf("no totals: got %v, want ErrFormat", err)
	}
	if _, err := DecodeMatrix(nil); !errors.Is(err, ErrFormat) {
		t.Errorf("no matrix: got %v, want ErrFormat", err)
	}
	if _, err := DecodeInput(nil); !errors.Is(err, ErrFormat) {
		t.Errorf("no input: got %v, want ErrFormat", err)
	}
}

func TestFailuresKeepWhatTheCommandLineSays(t *testing.T) {
	at := fault.Place{File: "f.csv", Line: 3, Row: 1, Column: "age"}
	input := fault.Inputf(at, "%q is not a number", "x").Do("correct it")
	caused := fault.Failedf(errors.New("disk full"), "cannot write %s", "m.json")
	spec := &feature.SpecError{Field: "scale", Value: "cubic", Reason: "unknown", Remedy: "choose another"}
	value := &feature.ValueError{Row: 4, Column: "age", Value: -2, Reason: "log1p needs values above -1", Remedy: "correct it"}
	for name, c := range map[string]struct {
		err  error
		code int
		text string
	}{
		"a fault":             {input, 3, input.Error()},
		"one with a cause":    {caused, 1, caused.Error()},
		"a wrapped one":       {fmt.Errorf("partition 3: %w, and more", input), 3, `f.csv: line 3, column age: partition 3: "x" is not a number, and more (correct it)`},
		"a wrapped cause":     {fmt.Errorf("partition 3: %w", caused), 1, "partition 3: cannot write m.json: disk full"},
		"a usage":             {fault.Usagef("--k 0"), 2, "--k 0"},
		"unavailable":         {&fault.Error{Kind: fault.Unavailable, Place: fault.Place{Row: fault.NoRow}, Problem: "gone"}, 5, "gone"},
		"an interruption":     {&fault.Error{Kind: fault.Interrupted, Place: fault.Place{Row: fault.NoRow}, Problem: "stopped"}, 1, "stopped"},
		"a kind of nobody's":  {&fault.Error{Kind: 77, Place: fault.Place{Row: fault.NoRow}, Problem: "odd"}, 1, "odd"},
		"a wrong spec":        {fmt.Errorf("fit: %w", spec), 3, spec.Error()},
		"a wrong value":       {value, 3, "column age: -2: log1p needs values above -1 (correct it)"},
		"something else":      {errors.New("out of memory"), 1, "out of memory"},
		"not UTF-8":           {errors.New("a\xffb"), 1, "a\uFFFDb"},
		"a cancelled context": {fmt.Errorf("reading: %w", contextCanceled), 1, "reading: context canceled"},
	} {
		back := DecodeFailure(EncodeFailure(c.err))
		if got := fault.Code(back); got != c.code {
			t.Errorf("%s: got exit code %d, want %d", name, got, c.code)
		}
		if got := back.Error(); got != c.text {
			t.Errorf("%s: got %q, want %q", name, got, c.text)
		}
	}
	if DecodeFailure(EncodeFailure(nil)) != nil {
		t.Error("no error became one")
	}
	var f *fault.Error
	if !errors.As(DecodeFailure(EncodeFailure(input)), &f) || f.Place != at || f.Remedy != "correct it" {
		t.Errorf("got %+v, want the place %v and the remedy", f, at)
	}
}

func TestTextsOfErrorsAreCutAtTheLimit(t *testing.T) {
	for _, n := range []int{maxText - 1, maxText, maxText + 1, 3 * maxText} {
		text := string(bytes.Repeat([]byte("é"), n/2)) + "xyz"[:n%2]
		got := DecodeFailure(EncodeFailure(errors.New(text))).Error()
		if n <= maxText && got != text || n > maxText && (len(got) > maxText || len(got) < maxText-4 || got[:len(got)-5] != text[:len(got)-5]) {
			t.Errorf("%d bytes: got %d", n, len(got))
		}
	}
}
