package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/kmeans"
)

// sweepOf runs a sweep with so many workers and threads, or on a cluster.
func sweepOf(t *testing.T, r SweepRequest, workers, threads int, cluster *Cluster) *SweepOutcome {
	t.Helper()
	r.Engine = Engine{Workers: workers, Threads: threads, Reporter: progress.New(progress.None, nil), Silent: true, Cluster: cluster}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	outcome, err := Sweep(ctx, &r)
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	return outcome
}

// written is a sweep as JSON.
func written(t *testing.T, o *SweepOutcome) string {
	t.Helper()
	data, err := json.Marshal(&o.Sweep)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestASweepFindsWhatFitsFind(t *testing.T) {
	file := writeCustomers(t, t.TempDir(), "customers.csv", 900)
	for name, change := range map[string]func(*SweepRequest){
		"as it is":         func(*SweepRequest) {},
		"cosine, few runs": func(r *SweepRequest) { r.Cosine, r.Runs, r.Init = true, 1, "k-means++" },
		"weighted": func(r *SweepRequest) {
			r.Data.Weight = "frequency"
			r.Data.Features = []string{"age", "income", "monetary"}
		},
	} {
		r := SweepRequest{Data: Data{Files: []string{file}}, Ks: []int{1, 2, 5, 7}, Init: "k-means-parallel", Runs: 3, MaxIter: 40, Tolerance: 1e-4, Seed: 4}
		change(&r)
		got := sweepOf(t, r, 2, 2, nil)
		for i, k := range r.Ks {
			want, err := Fit(t.Context(), &FitRequest{Data: r.Data, K: k, Init: r.Init, Runs: r.Runs, MaxIter: r.MaxIter, Tolerance: r.Tolerance, Seed: r.Seed,
				Cosine: r.Cosine, Engine: Engine{Workers: 1, Threads: 1, Reporter: progress.New(progress.None, nil)}})
			if err != nil {
				t.Fatal(err)
			}
			smallest := want.Model.Counts[0]
			for _, n := range want.Model.Counts {
				smallest = min(smallest, n)
			}
			centroids := &kmeans.Centroids{K: k, D: want.Columns, Values: want.Model.Centroids}
			if c := got.Candidates[i]; c.K != k || c.Inertia != want.Model.Inertia || c.Smallest != smallest || !got.Centroids[i].Equal(centroids) {
				t.Errorf("%s, k = %d: got %+v, want inertia %v, smallest %d and the fit's centroids", name, k, c, want.Model.Inertia, smallest)
			}
		}
	}
}

func TestASweepDependsOnNoWorkerAndNoThread(t *testing.T) {
	for _, files := range []string{"synth://blobs?rows=3000&d=3&centers=4&seed=2", "synth://blobs?rows=21000&d=3&centers=4&seed=2"} { // exact, and from a sample
		r := SweepRequest{Data: Data{Files: []string{files}}, Ks: []int{2, 3}, Init: "k-means-parallel", Runs: 1, MaxIter: 20, Tolerance: 1e-4}
		want := sweepOf(t, r, 1, 1, nil)
		for _, size := range [][2]int{{1, 4}, {5, 3}} {
			if got := sweepOf(t, r, size[0], size[1], nil); written(t, got) != written(t, want) {
				t.Errorf("%s, %d workers, %d threads: got\n%s\nwant\n%s", files, size[0], size[1], written(t, got), written(t, want))
			}
		}
		sampled := want.Rows > 20000
		if sampled != (want.Sampled == 10000) || sampled != (want.Candidates[0].SilhouetteError > 0) {
			t.Errorf("%d rows: got a sample of %d with error %v", want.Rows, want.Sampled, want.Candidates[0].SilhouetteError)
		}
	}
}

func TestASweepOnAClusterGivesTheBitsOfOneProcess(t *testing.T) {
	c := newCamp(t)
	for i := range 2 {
		c.worker(fmt.Sprintf("w%d", i), 1)
	}
	r := SweepRequest{Data: Data{Files: []string{"synth://customers?rows=22000&seed=7"}, Categorical: []string{"gender"}}, Ks: []int{2, 4}, Init: "k-means-parallel", Runs: 2,
		MaxIter: 10, Tolerance: 1e-4}
	here, there := sweepOf(t, r, 1, 2, nil), sweepOf(t, r, 1, 2, c.cluster(2))
	if written(t, here) != written(t, there) {
		t.Errorf("got\n%s\nwant\n%s", written(t, there), written(t, here))
	}
	for i := range here.Centroids {
		if !here.Centroids[i].Equal(there.Centroids[i]) {
			t.Errorf("k = %d: the centroids differ", here.Candidates[i].K)
		}
	}
}

// Data without segments is told apart from data with some, in one column or several.
func TestARecommendationIsHonest(t *testing.T) {
	for files, want := range map[string]int{
		"synth://uniform?rows=3000&d=1&seed=1":                     0,
		"synth://uniform?rows=3000&d=2&seed=2":                     0,
		"synth://uniform?rows=400&d=5&seed=3":                      0,
		"synth://blobs?rows=3000&d=4&centers=5&spread=0.05&seed=6": 5,
		"synth://blobs?rows=3000&d=8&centers=3&spread=0.1&seed=7":  3,
	} {
		r := SweepRequest{Data: Data{Files: []string{files}}, Ks: []int{2, 3, 4, 5, 6, 7}, Init: "k-means-parallel", Runs: 2, MaxIter: 50, Tolerance: 1e-4}
		got := sweepOf(t, r, 1, 2, nil).Recommended
		if got.Unclear != (want == 0) || want > 0 && got.K != want || got.Unclear != strings.HasPrefix(got.Because, "no k stands out: ") {
			t.Errorf("%s: got %+v, want k = %d (0: none stands out)", files, got, want)
		}
	}
}

func TestASweepIsWrittenWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	r := SweepRequest{Data: Data{Files: []string{"synth://uniform?rows=60&d=2"}}, Ks: []int{1, 2, 3}, Init: "k-means-parallel", Runs: 1, MaxIter: 5}
	for ext, want := range map[string]string{".csv": "k,inertia,silhouette,silhouette_error,calinski_harabasz,davies_bouldin,stability,smallest,recommended\n1,",
		".json": `{"candidates":[{"k":1,"inertia":`, ".html": "<!DOCTYPE html>"} {
		r.Output = filepath.Join(dir, "s"+ext)
		sweepOf(t, r, 1, 1, nil)
		data, err := os.ReadFile(r.Output)
		if err != nil || !strings.HasPrefix(strings.ToLower(string(data)), strings.ToLower(want)) {
			t.Errorf("%s: got %.100q, %v, want %q", ext, data, err, want)
		}
	}
	left := func() int {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	before := left()
	for name, change := range map[string]func(*SweepRequest){
		"more than rows": func(r *SweepRequest) { r.Ks = []int{2, 61} },
		"more than distinct Points": func(r *SweepRequest) {
			r.Data.Files[0], r.Data.Features = "synth://customers?rows=60", []string{"age"}
			r.Ks = []int{59}
		},
	} {
		r := r
		r.Data.Files = []string{r.Data.Files[0]}
		change(&r)
		r.Output = filepath.Join(dir, "other.html")
		r.Engine = Engine{Workers: 1, Threads: 1, Reporter: progress.New(progress.None, nil)}
		if _, err := Sweep(t.Context(), &r); err == nil || !strings.Contains(err.Error(), "choose a smaller -k") || left() != before {
			t.Errorf("%s: got %v, %d files, want an error that says what to do, and %d files", name, err, left(), before)
		}
	}
}

func TestRangesAreWrittenAsPeopleDo(t *testing.T) {
	for want, ks := range map[string][]int{"2..5,8": {2, 3, 4, 5, 8}, "3": {3}, "1..2,4..5": {1, 2, 4, 5}, "": nil} {
		if got := ranges(ks); got != want {
			t.Errorf("%v: got %q, want %q", ks, got, want)
		}
	}
}
