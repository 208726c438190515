//go:build unix

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// shared is a folder that all workers may read from, with files that are made when the first test asks for them.
var shared = sync.OnceValue(func() string {
	folder := filepath.Join(workshop, "data")
	if err := os.Mkdir(folder, 0o700); err != nil {
		panic(err) // no test can do anything without it
	}
	return folder
})

// The people of peopleFile.
const (
	people        = 60000
	peopleColumns = 96
)

// peopleFile is a CSV file of so many columns that it has some partitions. Its ids are in no order and one in fifty is
// there twice, x1 has cells that are missing, x2 has some that are not numbers, and there are weights, some of them 0.
func peopleFile(t *testing.T) string { return made(t, makePeople) }

var makePeople = sync.OnceValues(func() (string, error) {
	path := filepath.Join(shared(), "people.csv")
	return path, os.WriteFile(path, peopleRows(people), 0o600)
})

func peopleRows(n int) []byte {
	var b bytes.Buffer
	b.WriteString("id,weight")
	for c := range peopleColumns {
		fmt.Fprintf(&b, ",x%d", c)
	}
	b.WriteByte('\n')
	state := uint64(1)
	cell := make([]byte, 0, 20)
	for i := range n {
		id := i
		if i%50 == 49 {
			id = i / 2
		}
		fmt.Fprintf(&b, "%d,%d", 100000+id*7919%n, i%10)
		for c := range peopleColumns {
			b.WriteByte(',')
			state = state*6364136223846793005 + 1442695040888963407
			switch {
			case c == 1 && i%97 == 5:
			case c == 2 && i%4001 == 7:
				b.WriteByte('?')
			default:
				cell = strconv.AppendUint(cell[:0], state>>55+uint64(i%5*(c%7)*40), 10)
				b.Write(cell)
			}
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// blobsFile is a Parquet file of some row groups.
func blobsFile(t *testing.T) string { return made(t, makeBlobs) }

var makeBlobs = sync.OnceValues(func() (string, error) {
	return makeWith("blobs.parquet", "synth", "blobs", "-n", "150000", "-d", "24", "--centers", "9", "--seed", "4")
})

// modelFile is a model of the columns of synth://uniform?d=32.
func modelFile(t *testing.T) string { return made(t, makeModel) }

var makeModel = sync.OnceValues(func() (string, error) {
	return makeWith("model.json", "fit", "synth://uniform?rows=20000&seed=1&d=32", "-k", "6", "--max-iter", "5")
})

// makeWith has the program make a shared file.
func makeWith(name string, args ...string) (string, error) {
	binary, err := built()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	path := filepath.Join(shared(), name)
	if out, err := exec.CommandContext(ctx, binary, append(args, "-o", path)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
}

func made(t *testing.T, file func() (string, error)) string {
	t.Helper()
	path, err := file()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
