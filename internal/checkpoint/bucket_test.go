package checkpoint

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
)

// Tests name a state in memory as one in a bucket of its own, so that what holds for a folder is held for it, too.
var (
	beds    sync.Map // *objecttest.Memory by bucket
	buckets atomic.Int64
)

// bucket is a new state in memory.
func bucket(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("box-%d", buckets.Add(1))
	beds.Store(name, &objecttest.Memory{})
	t.Cleanup(func() { beds.Delete(name) })
	return object.Scheme + name + "/up/state"
}

// objectAt is the object of a path, also of one that filepath has cleaned.
func objectAt(path string) object.Name {
	return name(object.Scheme + strings.TrimLeft(strings.TrimPrefix(path, "s3:"), "/"))
}

// memoryOf is the memory of a state; nil for a folder.
func memoryOf(path string) *objecttest.Memory {
	if !strings.HasPrefix(path, "s3:") {
		return nil
	}
	m, _ := beds.Load(objectAt(path).Bucket)
	return m.(*objecttest.Memory)
}

// bed is memoryOf for Options.
func bed(path string) object.Store {
	if m := memoryOf(path); m != nil {
		return m
	}
	return nil
}

func contentOf(path string) ([]byte, error) {
	if m := memoryOf(path); m != nil {
		return m.Body(objectAt(path)), nil
	}
	return os.ReadFile(path)
}

func rewrite(path string, content []byte) error {
	if m := memoryOf(path); m != nil {
		_, err := m.Put(context.Background(), objectAt(path), content, object.Condition{})
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

func copiedBucket(t *testing.T, folder string) string {
	t.Helper()
	from, to := memoryOf(folder), bucket(t)
	for _, path := range from.Keys() {
		n := name(path)
		if err := rewrite(object.Scheme+name(to).Bucket+"/"+n.Key, from.Body(n)); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// wantTidyBucket holds that there is nothing but an epoch, and of each job its files and the objects that its manifest names.
func wantTidyBucket(t *testing.T, folder string) {
	t.Helper()
	m := memoryOf(folder)
	objects, jobs, epochs := map[string]int{}, map[string]int{}, 0
	for _, path := range m.Keys() {
		relative := strings.TrimPrefix(path, folder+"/")
		parts := strings.Split(relative, "/")
		switch {
		case strings.HasPrefix(relative, epochPrefix):
			epochs++
		case len(parts) == 4 && parts[2] == "objects" && isObject(parts[3]):
			objects[parts[1]]++
		case len(parts) == 3 && parts[0] == "jobs":
			if parts[2] == "spec" {
				jobs[parts[1]]++
			}
			jobs[parts[1]] += 0
		default:
			t.Errorf("%s is left over", path)
		}
	}
	if epochs != 1 {
		t.Errorf("%d epochs stand, want 1", epochs)
	}
	for id, specs := range jobs {
		_, manifest, err := readFile(&objectHome{store: m}, folder+"/jobs/"+id+"/manifest", manifestKind, 1000)
		if n, named := objects[id], len(manifest)/entryBytes; n != named || err != nil || specs != 1 {
			t.Errorf("job %s: %d objects, the manifest names %d (%v); %d specifications", id, n, named, err, specs)
		}
	}
	for id := range objects {
		if _, known := jobs[id]; !known {
			t.Errorf("objects of %s are left over", id)
		}
	}
}
