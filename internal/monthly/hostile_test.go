package monthly

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzMonth compares the reader of months with a plain one, and holds that a text is filled with a month, or refused, and that
// nothing that is filled in can be filled again.
func FuzzMonth(f *testing.F) {
	for _, seed := range [][2]string{{"2026-01", "rfm-{month}.csv"}, {"0000-12", "{year}{mm}"}, {"9999-12", "{as_of}"}, {"2026-13", "{"}, {"2026-1", "}{month}{"}, {"+026-01", "{{month}}"},
		{"2026-02 ", "{month"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, month, text string) {
		hostile.Ceiling(t, len(month)+len(text), 64<<10, 512, func() {
			m, err := ParseMonth(month)
			sound := len(month) == 7 && month[4] == '-' && strings.Trim(month[:4]+month[5:], "0123456789") == "" && month[5:] >= "01" && month[5:] <= "12"
			if sound != (err == nil) || err != nil && fault.Code(err) != 2 {
				t.Fatalf("%q: got %v, want it to be taken: %v", month, err, sound)
			}
			if err != nil {
				return
			}
			if m.String() != month {
				t.Fatalf("%q is read as %q", month, m)
			}
			filled, err := m.fill(text)
			if err != nil {
				return
			}
			if strings.Contains(filled, "{") || !strings.Contains(text, "{") && filled != text {
				t.Fatalf("%q becomes %q", text, filled)
			}
			if next, err := time.Parse(time.DateOnly, m.asOf()); err == nil && !m.before(Month{next}) {
				t.Fatalf("%s is not before %s", m, m.asOf())
			}
		})
	})
}

// FuzzManifest holds that whatever stands in the place of a month's manifest is taken for none, or as one of this version, of
// which what is gone is told.
func FuzzManifest(f *testing.F) {
	whole, err := json.Marshal(&Manifest{Format: manifestFormat, Version: manifestVersion, Month: "2026-01", Key: "k", Outputs: []Output{{Name: "../a", Bytes: 1, SHA256: "x"}},
		Steps: []Done{{Command: "fit", Result: []byte(`{"k": 3}`)}}, Inputs: []Input{{Path: "a.csv", Bytes: -1}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"format": "coterie-month", "version": 1, "outputs": [{"name": "/etc/passwd"}, {}]}`))
	f.Add([]byte(strings.Repeat("[", 20_000)))
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(folder, manifestFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
		hostile.Ceiling(t, len(data), 1<<20, 128, func() {
			m := readManifest(folder)
			if m == nil {
				return
			}
			if m.Format != manifestFormat || m.Version != manifestVersion {
				t.Fatalf("got a manifest of %s, version %d", m.Format, m.Version)
			}
			if len(m.Outputs) > 0 && m.Outputs[0].SHA256 != "" && m.damaged(folder) == "" {
				t.Fatalf("got no output that is gone among %+v", m.Outputs)
			}
		})
	})
}

// What a manifest says of files outside of its month is not looked at: they are no outputs of it.
func TestAMonthHasNoOutputsElsewhere(t *testing.T) {
	top := t.TempDir()
	folder := filepath.Join(top, "2026-01")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(top, "x.csv"), filepath.Join(folder, "x.csv")} {
		if err := os.WriteFile(name, []byte("a\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here, err := outputOf(filepath.Join(folder, "x.csv"), "x.csv")
	if err != nil {
		t.Fatal(err)
	}
	away := here
	away.Name = "../x.csv"
	for want, o := range map[string]Output{"": here, "../x.csv": away} {
		if got := (&Manifest{Outputs: []Output{o}}).damaged(folder); got != want {
			t.Errorf("%s: got %q damaged, want %q", o.Name, got, want)
		}
	}
}
