package number

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

// layOut joins fields by commas behind the lead, and gives where the commas are.
func layOut(fields []string) (text []byte, ends []uint32) {
	text = bytes.Repeat([]byte{'7'}, Lead-1)
	text = append(text, ',')
	ends = []uint32{uint32(len(text) - 1)}
	for _, f := range fields {
		text = append(text, f...)
		ends = append(ends, uint32(len(text)))
		text = append(text, ',')
	}
	return text, ends
}

var hasVectors = vectors

func sameBits(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// checkColumn holds what Column does with fields against Scan and strconv.
func checkColumn(t *testing.T, fields []string) {
	t.Helper()
	text, ends := layOut(fields)
	dst, plain := make([]float64, len(fields)), make([]float64, len(fields))
	n := Column(dst, text, ends, 1)
	for _, vectors = range []bool{hasVectors, false} {
		p := Column(plain, text, ends, 1)
		if p != n || !slices.EqualFunc(dst[:n], plain[:n], sameBits) {
			t.Fatalf("%q: vectors=%v gives %d numbers %v, but else there are %d: %v", fields, vectors, p, plain[:p], n, dst[:n])
		}
	}
	vectors = hasVectors
	for i, f := range fields[:n] {
		scanned, end, ok := Scan([]byte(f), 0, ',')
		if !ok || end != len(f) {
			t.Fatalf("%q is taken for the number %v, which Scan says it is not", f, dst[i])
		}
		if want := mustFloat(t, f); !sameBits(dst[i], want) || !sameBits(scanned, want) {
			t.Fatalf("%q is %v, scanned %v, want %v", f, dst[i], scanned, want)
		}
	}
	if n == len(fields) {
		return
	}
	f := fields[n]
	if _, end, ok := Scan([]byte(f), 0, ','); ok && end == len(f) && len(strings.TrimPrefix(f, "-")) <= window {
		t.Fatalf("%q is left out", f)
	}
}

func TestAColumnOfNumbersIsWhatStrconvSays(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for round := range 100_000 {
		fields := make([]string, 4)
		maximum := window
		if round%2 == 1 { // as float64 is written
			maximum = 22
		}
		for i := range fields {
			text := make([]byte, 1+random.IntN(maximum)) // all digits but the point
			for j := range text {
				text[j] = '0' + byte(random.IntN(10))
			}
			if point := random.IntN(2 * len(text)); point < len(text) && len(text) > 1 {
				text[point] = '.'
			}
			fields[i] = strings.Repeat("-", random.IntN(2)) + string(text)
			if want, err := strconv.ParseFloat(fields[i], 64); err != nil || math.IsNaN(want) {
				t.Fatal(err)
			}
		}
		text, ends := layOut(fields)
		if n := Column(make([]float64, 4), text, ends, 1); n != 4 && maximum == window {
			t.Fatalf("of %q %d are numbers, want all", fields, n)
		}
		checkColumn(t, fields)
	}
}

func TestFloat64sAreReadAsTheyAreWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	read := 0
	for range 20_000 {
		fields := make([]string, 4)
		for i := range fields {
			value := random.NormFloat64() * math.Pow(10, float64(random.IntN(8)-1))
			fields[i] = strconv.FormatFloat(value, 'f', -1, 64)
		}
		checkColumn(t, fields)
		text, ends := layOut(fields)
		read += Column(make([]float64, 4), text, ends, 1)
	}
	if read < 75_000 {
		t.Errorf("of 80,000 numbers %d are read", read)
	}
}

func TestAColumnEndsAtWhatIsNoPlainNumber(t *testing.T) {
	for _, f := range []string{
		"", "-", ".", "-.", "--1", "+1", "1.2.3", "..", "1,", " 1", "1 ", "1e5", "NA", "12345678901234567", "0.123456789012345", "1/2", "1:2", "*", "1\x00",
		"1\x0a", "12345678.12345678901", "123456789.12345678901", "1234.1234567890123456", "0.12345678901234567", ".1234567890123456", ".1234567890123456789", ".12345678901234567890", "0.0123456789012345678", "0.1234567890123456789", "1.1234567890123456789", "00.123456789012345678", "0.12345678901234567890", "0.1x34567890123456789",
		"1.234567890123x56", "1.2345678x0123456", "1x.234567890123456", "12345x78.12345678901", "1.23456789.123456", "-0.0000000000000000", "\xfa1", "1\xca2", "\xca", ".\xca", "/", "1-", "1-2", "12345678-1234567", "1234567.1234567.", "-1234567890.123456",
	} {
		_, end, ok := Scan([]byte(f), 0, ',')
		checkColumn(t, []string{"1", f, "2"})
		text, ends := layOut([]string{"1", f, "2"})
		n := Column(make([]float64, 3), text, ends, 1)
		if want := ok && end == len(f) && len(strings.TrimPrefix(f, "-")) <= window; n < 3 && want {
			t.Errorf("%q: %d numbers", f, n)
		}
	}
}

func TestAColumnIsReadAtItsSteps(t *testing.T) {
	var fields []string
	for i := range 30 {
		fields = append(fields, fmt.Sprint(i))
	}
	text, ends := layOut(fields)
	dst := make([]float64, 10)
	if n := Column(dst, text, ends[1:], 3); n != 10 {
		t.Fatalf("%d numbers, want 10", n)
	}
	for i, got := range dst {
		if want := float64(3*i + 1); got != want {
			t.Errorf("field %d is %v, want %v", i, got, want)
		}
	}
}

// FuzzColumn holds Column against Scan and strconv on any bytes.
func FuzzColumn(f *testing.F) {
	for _, seed := range []string{"1.5,-0,-.5,5.", "1234567890123456,.123456789012345", "1.2.3", "-,1", "\xfa9,1", "9007199254740993,900719925474099.3", "0.1:,1/2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hostile.Ceiling(t, len(text), 1<<20, 256, func() {
			checkColumn(t, strings.Split(text, ","))
		})
	})
}

// BenchmarkColumn reads forms of numbers by vector instructions, in plain Go, and one by one with Scan.
func BenchmarkColumn(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, form := range []struct {
		name string
		text func() string
	}{
		{"float32", func() string { return strconv.FormatFloat(float64(float32(random.NormFloat64()*5)), 'f', -1, 32) }},
		{"float64", func() string { return strconv.FormatFloat(random.NormFloat64()*5, 'f', -1, 64) }},
		{"integers", func() string { return strconv.Itoa(random.IntN(100_000)) }},
		{"cents", func() string { return strconv.FormatFloat(random.Float64()*1e4, 'f', 2, 64) }},
	} {
		fields := make([]string, 100_000) // more than branch predictors learn
		for i := range fields {
			fields[i] = form.text()
		}
		text, ends := layOut(fields)
		dst := make([]float64, len(fields))
		for _, way := range []string{"vectors", "plain", "scan"} {
			b.Run(form.name+"/"+way, func(b *testing.B) {
				vectors = hasVectors && way == "vectors"
				b.SetBytes(int64(len(text) - Lead))
				for b.Loop() {
					for i := 0; i < len(fields); i++ {
						if way != "scan" {
							if i += Column(dst[i:], text, ends[i:], 1); i == len(fields) {
								break
							}
						}
						dst[i], _, _ = Scan(text, int(ends[i])+1, ',')
					}
				}
				vectors = hasVectors
			})
		}
	}
}
