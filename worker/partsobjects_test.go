package worker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
)

const labelsPrefix = "s3://box/labels/of may"

// bucketSink is a sink for the parts of a job in the process's store.
func bucketSink(t *testing.T, format, job string, parts int) *PartSink {
	t.Helper()
	s, err := NewPartSink(labelsPrefix, format, []string{"s3://box/labels"}, PartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.job, s.count = job, parts
	return s
}

func number(i int) string { return fmt.Sprint(i) }

// labelAll does what workers do with the labels of a job, which are n rows in each of some parts.
func labelAll(t *testing.T, s *PartSink, sizes []int) error {
	t.Helper()
	if err := s.Prepare(t.Context()); err != nil {
		return err
	}
	for _, l := range partsOf(sizes, true, false, number) {
		if err := s.Put(t.Context(), l); err != nil {
			return err
		}
	}
	return s.Commit(t.Context())
}

// useMemory makes an empty store that of the process.
func useMemory(t *testing.T) *objecttest.Memory {
	t.Helper()
	m := &objecttest.Memory{}
	t.Cleanup(object.Use(m))
	return m
}

// rowsThere is how many rows a reader of the labels sees; −1 where it is told that they are not whole, or not there.
func rowsThere(t *testing.T) int {
	t.Helper()
	s, err := open.Sources(t.Context(), []string{labelsPrefix}, open.Options{})
	var e *fault.Error
	if errors.As(err, &e) && e.Kind == fault.Input {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return int(s.Rows())
}

func TestPartsInAnObjectStoreReadBackInTheOrderOfRows(t *testing.T) {
	for _, format := range partFormats {
		useMemory(t)
		sizes := []int{40, 1, 0, 7, 12}
		if err := labelAll(t, bucketSink(t, format, "job-1", len(sizes)), sizes); err != nil {
			t.Fatal(format, err)
		}
		rows := readBack(t, labelsPrefix)
		if len(rows) != 60 {
			t.Errorf("%s: %d rows, want 60", format, len(rows))
		}
		for i, row := range rows {
			if id, _, _ := strings.Cut(row, " "); id != fmt.Sprint(i) {
				t.Fatalf("%s: row %d is %q", format, i, row)
			}
		}
	}
}

func TestReadersSeeTheLabelsOfOneJobWholly(t *testing.T) {
	m := useMemory(t)
	first, second := bucketSink(t, ".csv", "job-1", 2), bucketSink(t, ".csv", "job-2", 3)
	step := func(what string, err error, want int) {
		t.Helper()
		if got := rowsThere(t); err != nil || got != want {
			t.Errorf("after %s (%v) a reader sees %d rows, want %d", what, err, got, want)
		}
	}
	step("nothing", nil, -1)
	step("the preparation", first.Prepare(t.Context()), -1)
	step("a second one", first.Prepare(t.Context()), -1)
	list := partsOf([]int{3, 4}, true, false, number)
	step("a part", first.Put(t.Context(), list[0]), -1)
	if err := first.Commit(t.Context()); err == nil || !strings.Contains(err.Error(), "lacks part-000001.job-1.csv") {
		t.Errorf("Commit without a part gives %v", err)
	}
	if err := second.Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "job job-1") {
		t.Errorf("another job is let in: %v", err)
	}
	step("the other part", first.Put(t.Context(), list[1]), -1)
	step("the commit", first.Commit(t.Context()), 7)
	step("a second commit", first.Commit(t.Context()), 7)
	step("another job's preparation", second.Prepare(t.Context()), 7)
	for _, l := range partsOf([]int{5, 5, 5}, true, false, number) {
		step("a part of it", second.Put(t.Context(), l), 7)
	}
	step("a late part of the first", first.Put(t.Context(), list[1]), 7)
	step("its commit", second.Commit(t.Context()), 15)
	if keys := m.Keys(); len(keys) != 4 || strings.Contains(strings.Join(keys, " "), "job-1") {
		t.Errorf("there are %q, want three parts and their manifest", keys)
	}
	step("a late part of the first", first.Put(t.Context(), list[1]), 15)
	if err := first.Commit(t.Context()); err == nil {
		t.Error("the first job may commit once more")
	}
}

func TestWhatIsNoLabelsIsLeftAlone(t *testing.T) {
	for key, want := range map[string]string{
		"notes.txt":                 `holds "notes.txt"`,
		"part-000000.parquet":       `holds "part-000000.parquet"`,
		"deeper/part.csv":           `holds "deeper/"`,
		"_manifest.json":            "damaged",
		"_unfinished.json":          "damaged",
		"part-000000.job-7.parquet": "without a manifest",
	} {
		m := useMemory(t)
		n, _ := object.Parse(labelsPrefix + "/" + key)
		m.Put(t.Context(), n, []byte("x"), object.Condition{})
		err := bucketSink(t, ".csv", "job-1", 1).Prepare(t.Context())
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Failed || !strings.Contains(err.Error(), want) || e.Remedy == "" {
			t.Errorf("%s: got %v, want a fault with %q and a remedy", key, err, want)
		}
		if string(m.Body(n)) != "x" || len(m.Keys()) != 1 {
			t.Errorf("%s: there are %q", key, m.Keys())
		}
	}
}

func TestWorkersWriteObjectsOnlyBelowTheirRoots(t *testing.T) {
	useMemory(t)
	for folder, roots := range map[string][]string{
		"s3://box/other":      {"s3://box/labels"},
		"s3://box/labels2":    {"s3://box/labels"},
		"s3://boy/labels":     {"s3://box/labels"},
		"s3://box/labels/x":   {"/data"},
		"s3://box/labels/x/y": {},
		"s3://box":            {"s3://box"}, // all of a bucket is no place for labels
	} {
		if _, err := NewPartSink(folder, ".csv", roots, PartOptions{}); err == nil {
			t.Errorf("%s within %q is taken", folder, roots)
		}
	}
	for _, root := range []string{"s3://box", "s3://box/", "s3://box/labels", "s3://box/labels/"} {
		if _, err := NewPartSink("s3://box/labels/x", ".csv", []string{"/data", root}, PartOptions{}); err != nil {
			t.Errorf("within %s: %v", root, err)
		}
	}
}

// TestACallThatFailsAnywhereLeavesLabelsOfOneJob replaces the labels of a job by those of another, fails somewhere and does it again: a reader
// sees the old or the new at any time, and the new in the end.
func TestACallThatFailsAnywhereLeavesLabelsOfOneJob(t *testing.T) {
	away := errors.New("away")
	sizes := []int{2, 3, 4}
	for at, more := 0, true; more; at++ {
		for _, lost := range []bool{false, true} {
			m := useMemory(t)
			if err := labelAll(t, bucketSink(t, ".csv", "job-1", 1), []int{5}); err != nil {
				t.Fatal(err)
			}
			var guard sync.Mutex // parts are counted side by side
			calls, hit := 0, false
			write := func(method string) bool { return slices.Contains([]string{"Put", "Commit", "Remove"}, method) }
			m.Fault = func(method string, _ object.Name) error {
				guard.Lock()
				defer guard.Unlock()
				calls++
				if hit = hit || calls == at+1; calls == at+1 && !(lost && write(method)) {
					return away
				}
				return nil
			}
			m.After = func(string, object.Name) error {
				guard.Lock()
				defer guard.Unlock()
				if lost && calls == at+1 {
					return away
				}
				return nil
			}
			next := bucketSink(t, ".csv", "job-2", len(sizes))
			first := labelAll(t, next, sizes)
			m.Fault, m.After = nil, nil
			if got := rowsThere(t); got != 9 && (first == nil || got != 5) {
				t.Errorf("call %d (%v): a reader sees %d rows after %v, want 5 or 9", at, lost, got, first)
			}
			if err := labelAll(t, next, sizes); err != nil || rowsThere(t) != 9 {
				t.Errorf("call %d (%v): once more gives %v and %d rows, want 9", at, lost, err, rowsThere(t))
			}
			for _, key := range m.Keys() {
				if strings.Contains(key, "_unfinished") || first != nil && strings.Contains(key, "job-1") {
					t.Errorf("call %d (%v): %s is left over", at, lost, key)
				}
			}
			if more = hit; t.Failed() {
				return
			}
		}
	}
}

func TestOfTwoJobsThatPrepareAtOnceOneHasThePrefix(t *testing.T) {
	for at, more := 0, true; more; at++ {
		m := useMemory(t)
		a, b := bucketSink(t, ".csv", "job-a", 1), bucketSink(t, ".csv", "job-b", 1)
		calls := 0
		var other error
		m.Fault = func(string, object.Name) error {
			if calls++; calls == at+1 {
				m.Fault = nil
				other = b.Prepare(t.Context())
			}
			return nil
		}
		err := a.Prepare(t.Context())
		if more = m.Fault == nil; !more {
			other = b.Prepare(t.Context())
		}
		m.Fault = nil
		if (err == nil) == (other == nil) {
			t.Errorf("call %d: the two jobs get %v and %v, want that one has the prefix", at, err, other)
		}
	}
}
