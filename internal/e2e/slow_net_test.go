//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// wideJob has sums of 2500 × 200, more than a megabyte for each answer.
var wideJob = []string{"-k", "2500", "--init", "random", "--scale", "none", "--tol", "0", "--max-iter", "4"}

// wideTable is a table of 200 columns of whole numbers, whose sums can be compressed.
func wideTable(t *testing.T) (folder, path string) {
	t.Helper()
	folder = t.TempDir()
	path = filepath.Join(folder, "wide.csv")
	random := rand.New(rand.NewPCG(5, 5))
	var b bytes.Buffer
	for column := range 200 {
		fmt.Fprintf(&b, "x%d,", column)
	}
	b.WriteString("id\n")
	for row := range 8000 {
		for range 200 {
			b.WriteByte('0' + byte(random.IntN(10)))
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d\n", row)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder, path
}

// leastPlain is what the sums of the five rounds of wideJob take uncompressed: two bytes each at least, since their
// values have more than 256 steps.
const leastPlain = 5 * 2500 * 200 * 2

func TestASlowLinkGivesTheSameBitsInFewerBytes(t *testing.T) {
	t.Parallel()
	folder, path := wideTable(t)
	job := append([]string{path}, wideJob...)
	l := newLAN(t)
	center, far := l.machine(), l.machine()
	center.coordinator()
	far.worker("w1", center, nil, "--data-root", folder)
	center.throttle(20)
	far.throttle(20)
	fit := beginFit(t, center.place(), append([]string{"--cluster", center.at(rpcPort)}, job...)...)
	until(t, 30*time.Second, "the starting centroids are there", func() bool { return look(t, center.place(), center.at(rpcPort)).job().Phase == "iterate" })
	before := far.sent()
	if got, want := fit.digest(), digestHere(t, job...); got != want {
		t.Errorf("got digest %s, want that of one process, %s", got, want)
	}
	if got := far.sent() - before; got > leastPlain*8/10 {
		t.Errorf("got %d bytes from the worker while it iterated, want fewer than the %d of plain sums", got, leastPlain)
	}
}
