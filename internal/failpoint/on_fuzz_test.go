//go:build failpoints

package failpoint

import (
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzParse holds that what is taken for fail points names one that there is, and a hit from 1.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "merge", "merge:3", "merge:1:stop", "load:2,load:3:sleep=1ns", "merge:0", "merge:18446744073709551616", "merge:1:sleep=1h", ":::", ","} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hostile.Ceiling(t, len(text), 64<<10, 512, func() {
			list, err := parse(text)
			if err != nil && list != nil || len(list) > maxPoints {
				t.Fatalf("%q: got %v, %v", text, list, err)
			}
			for _, p := range list {
				if p.name == "" || p.nth == 0 || p.pause < 0 || p.pause > maxSleep {
					t.Fatalf("%q is the fail point %+v", text, p)
				}
			}
		})
	})
}
