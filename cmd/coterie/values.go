package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// refusal is why a flag refuses a value, worded to follow the value: `"abc" is not a whole number`.
type refusal struct{ why string }

func (r *refusal) Error() string { return r.why }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// choice is a flag with a few allowed values.
type choice struct {
	to      *string
	allowed []string
}

// newChoice is a flag that sets *to, at first to preset, and later to one of allowed.
func newChoice(to *string, preset string, allowed ...string) *choice {
	*to = preset
	return &choice{to: to, allowed: allowed}
}

func (c *choice) String() string { return *c.to }

// Type is what the help shows behind the flag.
func (c *choice) Type() string { return strings.Join(c.allowed, "|") }

// Set takes an allowed value, as it is written.
func (c *choice) Set(value string) error {
	if !slices.Contains(c.allowed, value) {
		return refuse("is none of %s", strings.Join(c.allowed, ", "))
	}
	*c.to = value
	return nil
}

// completeChoices lets a shell complete the values of the flags that have a few.
func completeChoices(cmd *cobra.Command, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if c, ok := f.Value.(*choice); ok {
			fixed := cobra.FixedCompletions(c.allowed, cobra.ShellCompDirectiveNoFileComp)
			if err := cmd.RegisterFlagCompletionFunc(f.Name, fixed); err != nil {
				panic(err) // the flag is there, and a tree is built once
			}
		}
	})
}

// whole is a flag for a whole number between two bounds. Unlike the library's it reads 010 as ten and 1e6 as a
// million.
type whole struct {
	to       *int64
	min, max int64
}

// newWhole is a flag that sets *to, at first to preset, which may lie outside min..max to mean "not given".
func newWhole(to *int64, preset, min, max int64) *whole {
	*to = preset
	return &whole{to: to, min: min, max: max}
}

func (w *whole) String() string { return strconv.FormatInt(*w.to, 10) }
func (w *whole) Type() string   { return "int" }

// Set takes a whole number, also with an exponent.
func (w *whole) Set(value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		// Up to 2^53 a float64 holds every whole number.
		x, err := strconv.ParseFloat(value, 64)
		if err != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 || strings.ContainsAny(value, "xX_") {
			return refuse("is not a whole number")
		}
		n = int64(x)
	}
	switch {
	case n < w.min && w.max > math.MaxInt32: // a bound that nobody means to reach
		return refuse("must be at least %d", w.min)
	case n < w.min, n > w.max:
		return refuse("must lie between %d and %d", w.min, w.max)
	}
	*w.to = n
	return nil
}

// real is a flag for a finite number of at least min.
type real struct {
	to  *float64
	min float64
}

// newReal is a flag that sets *to, at first to preset.
func newReal(to *float64, preset, min float64) *real {
	*to = preset
	return &real{to: to, min: min}
}

func (r *real) String() string { return strconv.FormatFloat(*r.to, 'g', -1, 64) }
func (r *real) Type() string   { return "float" }

// Set takes a finite number.
func (r *real) Set(value string) error {
	x, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return refuse("is not a number")
	}
	if x < r.min {
		return refuse("must be at least %v", r.min)
	}
	*r.to = x
	return nil
}

// names is a flag for a list: A,B,C. A name with a comma stands in double quotes. Given again, it adds to the list.
type names struct {
	to    *[]string
	set   bool
	check func(string) error // of each; nil: any will do
}

// newNames is a flag that sets *to.
func newNames(to *[]string) *names { return &names{to: to} }

// newPeers is a flag that sets *to to the addresses of others.
func newPeers(to *[]string) *names { return &names{to: to, check: checkPeer} }

func (n *names) String() string { return strings.Join(*n.to, ",") }
func (n *names) Type() string   { return "A,B,C" }

// Set reads one list and adds it.
func (n *names) Set(value string) error {
	list, err := commaList(value)
	if err != nil {
		return refuse("is not a list of names separated by commas")
	}
	if len(list) == 0 {
		return refuse("is more than one line")
	}
	if !n.set {
		*n.to = nil
	}
	for _, name := range list {
		if err := n.Append(strings.TrimSpace(name)); err != nil {
			return err
		}
	}
	return nil
}

// commaList takes a list apart: parts separated by commas, in double quotes where they have one. There is nothing in it where there
// is more than one line: what stands in the others must not be left out in silence.
func commaList(value string) ([]string, error) {
	reader := csv.NewReader(strings.NewReader(value))
	list, err := reader.Read()
	if err != nil {
		return nil, err
	}
	if _, err := reader.Read(); err != io.EOF {
		return nil, nil
	}
	return list, nil
}

// Append adds one name.
func (n *names) Append(name string) error {
	if name == "" {
		return refuse("has an empty name")
	}
	if slices.Contains(*n.to, name) {
		return refuse("has %q twice", name)
	}
	if n.check != nil {
		if err := n.check(name); err != nil {
			return err
		}
	}
	n.set = true
	*n.to = append(*n.to, name)
	return nil
}

// Replace sets the whole list.
func (n *names) Replace(list []string) error {
	*n.to = nil
	return appendAll(list, n.Append)
}

// appendAll gives a list to a flag, one by one.
func appendAll(list []string, add func(string) error) error {
	for _, part := range list {
		if err := add(part); err != nil {
			return err
		}
	}
	return nil
}

// GetSlice is the list.
func (n *names) GetSlice() []string { return *n.to }

// byteSize is a flag for a size in bytes: a number, alone or with a unit (KiB, MiB, GiB, TiB; kB, MB, GB, TB).
type byteSize struct {
	to  *int64
	min int64
}

// newBytes is a flag that sets *to, at first to preset, which may lie below min to mean "not given".
func newBytes(to *int64, preset, min int64) *byteSize {
	*to = preset
	return &byteSize{to: to, min: min}
}

func (b *byteSize) String() string {
	if *b.to == 0 {
		return ""
	}
	return strings.ReplaceAll(inBytes(*b.to), " ", "")
}

// Type implements pflag.Value.
func (b *byteSize) Type() string { return "BYTES" }

// units are what a size may be followed by, in any case; longer ones first.
var units = []struct {
	name  string
	bytes float64
}{{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40}, {"pib", 1 << 50}, {"eib", 1 << 60},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"pb", 1e15}, {"eb", 1e18},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"t", 1 << 40}, {"p", 1 << 50}, {"b", 1}}

// Set takes a size.
func (b *byteSize) Set(value string) error {
	number, unit := strings.ToLower(strings.ReplaceAll(value, " ", "")), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = rest, u.bytes
			break
		}
	}
	x, err := strconv.ParseFloat(number, 64)
	size := x * unit
	switch {
	case err != nil || math.IsNaN(x) || strings.ContainsAny(number, "xnif_"):
		return refuse("is not a size such as 4GiB")
	case size < float64(b.min):
		return refuse("must be at least %s", inBytes(b.min))
	case size >= math.MaxInt64:
		return refuse("is too large")
	}
	*b.to = int64(size)
	return nil
}
