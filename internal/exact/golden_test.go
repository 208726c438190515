package exact

import (
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden.txt anew")

const goldenFile = "testdata/golden.txt"

// goldenFunctions map words to words: bit patterns in, bit patterns out.
var goldenFunctions = []struct {
	name     string
	function func(a, b uint64) uint64
	argument func(i uint64) (a, b uint64)
}{
	{"Log", unary(Log), func(i uint64) (a, b uint64) { return goldenFloat(i) &^ (1 << 63), 0 }},
	{"Log1p", unary(Log1p), func(i uint64) (a, b uint64) {
		if x := math.Float64frombits(goldenFloat(i)); x <= -1 {
			return math.Float64bits(1 / x), 0
		}
		return goldenFloat(i), 0
	}},
	{"Expm1", unary(Expm1), func(i uint64) (a, b uint64) { return goldenFloat(i), 0 }},
	{"Draw", func(a, b uint64) uint64 { return Draw(a, uint32(b>>32), uint32(b), a^b) }, goldenWords},
	{"Unit", func(a, _ uint64) uint64 { return math.Float64bits(Unit(a)) }, goldenWords},
	{"Normal", func(a, b uint64) uint64 { return math.Float64bits(Normal(a, b)) }, goldenWords},
	{"ToGrid", func(a, b uint64) uint64 {
		return uint64(math.Float32bits(ToGrid(math.Float64frombits(a), math.Float64frombits(b), -36)))
	}, func(i uint64) (a, b uint64) { return goldenFloat(i), goldenFloat(i + 1<<32) }},
	{"Variance", func(a, b uint64) uint64 {
		var m Moments
		m.AddSlice([]float64{math.Float64frombits(a), math.Float64frombits(b), 1})
		return math.Float64bits(m.Variance())
	}, func(i uint64) (a, b uint64) { return goldenFloat(i), goldenFloat(i + 1<<32) }},
}

func unary(f func(float64) float64) func(a, b uint64) uint64 {
	return func(a, _ uint64) uint64 { return math.Float64bits(f(math.Float64frombits(a))) }
}

func goldenWords(i uint64) (a, b uint64) { return Draw(7, 1, 0, i), Draw(7, 2, 0, i) }

// goldenFloat is a number between 2^-60 and 2^9, of either sign.
func goldenFloat(i uint64) uint64 {
	u := Draw(7, 3, 0, i)
	exponent := 1023 - 60 + Bounded(Draw(7, 4, 0, i), 69)
	return u&(1<<63|1<<52-1) | exponent<<52
}

// The file was written on amd64. Whatever builds and runs this test is held to its bits: GOAMD64=v3, arm64, anything else.
func TestBitsAreThoseOfTheGoldenFile(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]func(a, b uint64) uint64{}
	for _, f := range goldenFunctions {
		functions[f.name] = f.function
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var name string
		var a, b, want uint64
		if _, err := fmt.Sscanf(line, "%s %x %x %x", &name, &a, &b, &want); err != nil || functions[name] == nil {
			t.Fatalf("cannot read %q: %v", line, err)
		}
		if got := functions[name](a, b); got != want {
			t.Errorf("%s(%x, %x) = %x, want %x", name, a, b, got, want)
		}
		lines++
	}
	if want := len(goldenFunctions) * goldenCount; lines != want {
		t.Errorf("the file has %d lines, want %d", lines, want)
	}
}

const goldenCount = 300

func writeGolden(t *testing.T) {
	var out strings.Builder
	out.WriteString("# function, two arguments and the result as bit patterns; written by go test -run Golden -update\n")
	for _, f := range goldenFunctions {
		for i := range uint64(goldenCount) {
			a, b := f.argument(i)
			fmt.Fprintf(&out, "%s %016x %016x %016x\n", f.name, a, b, f.function(a, b))
		}
	}
	if err := os.WriteFile(goldenFile, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Where fused instructions exist, the compiler's listing of this package must have none: a golden file cannot have an
// argument for every sum.
func TestCompilerFusesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the package for other processors")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go tool")
	}
	fused := regexp.MustCompile(`\t(V?FN?M(ADD|SUB|LA|LS)\w*)\t`)
	for _, target := range [][]string{{"GOARCH=amd64", "GOAMD64=v3"}, {"GOARCH=arm64"}} {
		build := exec.Command(tool, "build", "-gcflags=-S", "-o", filepath.Join(t.TempDir(), "listing"), ".")
		build.Env = append(append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0"), target...)
		listing, err := build.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", target, err, listing)
		}
		if !strings.Contains(string(listing), "STEXT") {
			t.Fatalf("%v: the compiler printed no listing", target)
		}
		for line := range strings.Lines(string(listing)) {
			if fused.MatchString(line) && strings.Contains(line, "internal/exact") {
				t.Errorf("%v: %s", target, strings.TrimSpace(line))
			}
		}
	}
}
