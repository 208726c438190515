package sim

import (
	"bufio"
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// maxScript bounds the text of a script, in bytes.
const maxScript = 1 << 16

// Parse reads a script as String writes it: lines "name …", "seed N", "job key=value …", "cluster key=value …",
// "break WORD" and "fault KIND at PHASE+N on W for 3s n=N", in any order; empty lines and what follows a # are for people.
// An error names the line.
func Parse(text []byte) (*Script, error) {
	if len(text) > maxScript {
		return nil, fmt.Errorf("a script of %d bytes: at most %d are read", len(text), maxScript)
	}
	s := &Script{Job: JobSpec{Rows: 80, K: 3, Runs: 1, Iterations: 5, Init: kmeans.InitParallel, Scale: feature.Standard, Missing: feature.Fail,
		Duplicates: wire.DuplicatesFail, Labels: true}, Workers: 3, Least: 1, Partitions: 8, Window: 4, Checkpoint: 100 * time.Millisecond, Wait: 30 * time.Second}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := s.parseLine(words); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return s, s.check()
}

func (s *Script) parseLine(words []string) (err error) {
	rest := words[1:]
	switch words[0] {
	case "name":
		s.Name = strings.Join(rest, " ")
	case "seed":
		s.Seed, err = strconv.ParseUint(strings.Join(rest, ""), 10, 64)
	case "job":
		err = setAll(reflect.ValueOf(&s.Job).Elem(), rest)
	case "cluster":
		err = setAll(reflect.ValueOf(s).Elem(), rest)
	case "break":
		if s.Break = strings.Join(rest, " "); s.Break != BreakRounds && s.Break != BreakSync {
			err = fmt.Errorf("break %q: known are %s and %s", s.Break, BreakRounds, BreakSync)
		}
	case "fault":
		err = s.parseFault(rest)
	default:
		err = fmt.Errorf("%q: a line begins with name, seed, job, cluster, break or fault", words[0])
	}
	return err
}

// clusterKeys are the fields that a line "cluster" may set.
var clusterKeys = []string{"workers", "least", "partitions", "window", "objects", "checkpoint", "wait"}

// setAll sets fields of a struct by words key=value; a key is a field's name in lower case.
func setAll(v reflect.Value, words []string) error {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if v.Type() == reflect.TypeFor[Script]() && !slices.Contains(clusterKeys, key) {
			return fmt.Errorf("%q: known are %v", key, clusterKeys)
		}
		field := v.FieldByNameFunc(func(name string) bool { return strings.ToLower(name) == key })
		if !field.IsValid() {
			return fmt.Errorf("%q is not known", key)
		}
		if err := setOne(field, value); err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	return nil
}

func setOne(field reflect.Value, value string) error {
	if field.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(value)
		field.SetInt(int64(d))
		return err
	}
	switch field.Kind() {
	case reflect.Int:
		n, err := strconv.ParseInt(value, 10, 32)
		field.SetInt(n)
		return err
	case reflect.Uint64:
		n, err := strconv.ParseUint(value, 10, 64)
		field.SetUint(n)
		return err
	case reflect.Bool:
		b, err := strconv.ParseBool(value)
		field.SetBool(b)
		return err
	}
	field.SetString(value)
	return nil
}

// parseFault reads "KIND at PHASE+N on W for 3s n=N".
func (s *Script) parseFault(words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("a fault of which kind?")
	}
	f := Fault{Kind: Kind(words[0])}
	if !slices.ContainsFunc(faults, func(i FaultInfo) bool { return i.Kind == f.Kind }) {
		return fmt.Errorf("%q is no kind of fault", words[0])
	}
	rest := words[1:]
	for len(rest) > 0 {
		if n, is := strings.CutPrefix(rest[0], "n="); is {
			if err := setOne(reflect.ValueOf(&f.N).Elem(), n); err != nil {
				return err
			}
			rest = rest[1:]
			continue
		}
		if len(rest) < 2 {
			return fmt.Errorf("%q: what?", rest[0])
		}
		var err error
		switch rest[0] {
		case "at":
			phase, after, _ := strings.Cut(rest[1], "+")
			if f.Phase = Phase(phase); !slices.Contains(Phases(), f.Phase) {
				return fmt.Errorf("%q is no phase: there are %v", phase, Phases())
			}
			if after != "" {
				err = setOne(reflect.ValueOf(&f.After).Elem(), after)
			}
		case "on":
			err = setOne(reflect.ValueOf(&f.On).Elem(), rest[1])
		case "for":
			err = setOne(reflect.ValueOf(&f.For).Elem(), rest[1])
		default:
			err = fmt.Errorf("%q: known are at, on, for and n=", rest[0])
		}
		if err != nil {
			return err
		}
		rest = rest[2:]
	}
	if f.Phase == "" {
		return fmt.Errorf("fault %s: at which phase?", f.Kind)
	}
	s.Faults = append(s.Faults, f)
	return nil
}

// String is the script as Parse reads it.
func (s *Script) String() string {
	var b strings.Builder
	if s.Name != "" {
		fmt.Fprintf(&b, "name %s\n", s.Name)
	}
	fmt.Fprintf(&b, "seed %d\njob %v\n", s.Seed, s.Job)
	fmt.Fprintf(&b, "cluster workers=%d least=%d partitions=%d window=%d objects=%t checkpoint=%v wait=%v\n", s.Workers, s.Least, s.Partitions, s.Window,
		s.Objects, s.Checkpoint, s.Wait)
	if s.Break != "" {
		fmt.Fprintf(&b, "break %s\n", s.Break)
	}
	for _, f := range s.Faults {
		fmt.Fprintf(&b, "fault %s at %s+%d on %d for %v n=%d\n", f.Kind, f.Phase, f.After, f.On, f.For, f.N)
	}
	return b.String()
}
