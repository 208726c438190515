package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// fresh is a command of the program that has no values yet, by its place in the list.
func fresh(i uint8) (*App, *cobra.Command) {
	app := newApp(strings.NewReader(""), io.Discard, io.Discard, nil)
	app.origins = make(map[string]origin)
	return app, commands[int(i)%len(commands)](app)
}

// settables are the flags of a command that can be set from elsewhere, in order.
func settables(cmd *cobra.Command) (list []*pflag.Flag) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if settable(f) {
			list = append(list, f)
		}
	})
	return list
}

// FuzzFlags gives any text to any flag of any command. What is taken can be spelled out, and is taken again like that as the
// same; what is not is refused with a reason.
func FuzzFlags(f *testing.F) {
	for i, text := range []string{"1e6", "010", "9223372036854775807", "1e300", "-1", "NaN", "0x1p4", "4GiB", "1.5tb", "9e18b", "1e999kb", `a,"b,c"`, "a,a", `"`, "A=2,B=0.5",
		"A=1e-300", "1%", "100%", "a=x<y;b=1<2<3", "host:80", "[::1]:0", ":99999", "30s", "-1ns", "2562047h47m16.854775807s", "workers=400,network=25Gb",
		"workers=1e300", "workers=1,rows=9e18", "min-size=5%", "bad-rows=0.1", "200M", "1.5T", "\x00", strings.Repeat("9", 400)} {
		f.Add(uint8(i), uint8(3*i), text)
	}
	for i := range commands {
		_, cmd := fresh(uint8(i))
		for j, flag := range settables(cmd) {
			if text, of := flag.DefValue, flag.Value.Type(); text != "" && of != "bool" && of != "string" { // a seed for each kind is enough
				f.Add(uint8(i), uint8(j), text)
				break
			}
		}
	}
	f.Fuzz(func(t *testing.T, command, which uint8, text string) {
		_, cmd := fresh(command)
		list := settables(cmd)
		if len(list) == 0 {
			return
		}
		flag := list[int(which)%len(list)]
		var err error
		hostile.Ceiling(t, len(text), 4<<20, 512, func() {
			_, other := fresh(command)
			err = settables(other)[int(which)%len(list)].Value.Set(text)
		})
		if refused := (*refusal)(nil); err != nil && (errors.As(err, &refused) && refused.why == "" || err.Error() == "") {
			t.Fatalf("--%s %q is refused without a reason", flag.Name, text)
		}
		if err != nil {
			return
		}
		if err := flag.Value.Set(text); err != nil {
			t.Fatalf("--%s %q is taken, and then is not: %v", flag.Name, text, err)
		}
		again(t, flag, text, command, which)
	})
}

// again holds that the value of a flag is taken as it is spelled out.
func again(t *testing.T, flag *pflag.Flag, text string, command, which uint8) {
	t.Helper()
	_, cmd := fresh(command)
	list := settables(cmd)
	other := list[int(which)%len(list)]
	if many, ok := flag.Value.(pflag.SliceValue); ok {
		said := many.GetSlice()
		if err := other.Value.(pflag.SliceValue).Replace(said); err != nil || !slices.Equal(other.Value.(pflag.SliceValue).GetSlice(), said) {
			t.Fatalf("--%s %q is the list %q, which becomes %q, %v", flag.Name, text, said, other.Value.(pflag.SliceValue).GetSlice(), err)
		}
		return
	}
	said := flag.Value.String()
	if _, rounded := flag.Value.(*byteSize); rounded || said == "" || said == flag.DefValue {
		return
	}
	if err := other.Value.Set(said); err != nil || other.Value.String() != said {
		t.Fatalf("--%s %q is %q, which becomes %q, %v", flag.Name, text, said, other.Value.String(), err)
	}
}

// FuzzConfig gives any bytes to any command as its file of --config. They are taken or refused as a wrong call that names
// the file or the flag.
func FuzzConfig(f *testing.F) {
	for i := range commands {
		_, cmd := fresh(uint8(i))
		var text strings.Builder
		for _, flag := range settables(cmd) {
			text.WriteString(flag.Name + ": " + flag.DefValue + "\n")
		}
		f.Add(uint8(i), []byte(text.String()))
	}
	for _, text := range []string{"seed: 7\nfeatures: [a, \"b,c\"]\n", "a: &a [*a]\nb: *a\n", "k: !!binary AAAA\n", "? [a]\n: b\n", "<<: {seed: 1}\n", "seed: |\n  1\n", "{", "\ufeffseed: 1", "%YAML 9\n---\nx: 1",
		"seed: 1\n...\nseed: 2", "&k seed: *k"} {
		f.Add(uint8(0), []byte(text))
		f.Add(uint8(7), []byte(text))
	}
	f.Fuzz(func(t *testing.T, command uint8, data []byte) {
		if len(data) > configLimit {
			return
		}
		// The nodes of a document of two bytes each are the dearest.
		hostile.Ceiling(t, len(data), 4<<20, 4096, func() {
			app, cmd := fresh(command)
			keys, err := parseConfig("month.yaml", data)
			if err == nil {
				err = app.fromFile(cmd, section{file: "month.yaml", keys: keys})
			}
			if err != nil && (fault.Code(err) != 2 || !strings.Contains(err.Error(), "month.yaml")) {
				t.Fatalf("got %v, want a wrong call that names the file", err)
			}
		})
	})
}

// FuzzValues holds that a list of values for a lookup is taken as pairs of a name and a value, or refused.
func FuzzValues(f *testing.F) {
	for _, text := range []string{"", "a=1,b=x", `"a,b=1",c=`, "a", "=1", "a=1,a=2", "a=b=c", "\"", "a=1\nb=2", "a=1\r"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hostile.Ceiling(t, len(text), 64<<10, 128, func() {
			values, err := parseValues(text)
			if err != nil && (fault.Code(err) != 2 || values != nil) {
				t.Fatalf("got %v, %v, want a wrong call", values, err)
			}
			for name, value := range values {
				if name == "" || name != strings.TrimSpace(name) || value != strings.TrimSpace(value) {
					t.Fatalf("%q gives %q the value %q", text, name, value)
				}
			}
		})
	})
}

// The lines behind the first would be left out in silence.
func TestListsOfSeveralLinesAreRefused(t *testing.T) {
	var list []string
	var factors []feature.Weight
	for name, set := range map[string]func(string) error{
		"names":   newNames(&list).Set,
		"weights": newWeights(&factors).Set,
		"values":  func(text string) error { _, err := parseValues(text); return err },
	} {
		for text, ok := range map[string]bool{"a=1,b=2": true, "c=1\n": true, "d=1\ne=2": false, "f=1\n\"": false, "g=1\n\n\nh=2": false} {
			if err := set(text); (err == nil) != ok {
				t.Errorf("%s: %q: got %v, want it taken: %v", name, text, err, ok)
			}
		}
	}
}
