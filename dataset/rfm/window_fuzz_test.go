package rfm

import (
	"strconv"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzWindow compares the reader of --window with plain arithmetic on days and weeks, and with the library on the rest.
func FuzzWindow(f *testing.F) {
	for _, text := range []string{"", "0", "365d", "52w", "36h", "-1d", "0d", "106751d", "106752d", "15250w", "15251w", "+1d", "9223372036854775808d", "1.5d", "d", "1h30m", "01d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hostile.Ceiling(t, len(text), 64<<10, 64, func() {
			got, err := ParseWindow(text)
			if err != nil && (fault.Code(err) != 2 || got != 0) || got < 0 {
				t.Fatalf("%q: got %v, %v, want a wrong call", text, got, err)
			}
			if err != nil || got == 0 {
				return
			}
			want, failed := time.ParseDuration(text)
			for unit, hours := range map[byte]int64{'d': 24, 'w': 7 * 24} {
				if text[len(text)-1] == unit {
					n, wrong := strconv.ParseInt(text[:len(text)-1], 10, 64)
					want, failed = time.Duration(n)*time.Duration(hours)*time.Hour, wrong
					if want/time.Hour != time.Duration(n*hours) {
						t.Fatalf("%q: got %v, which is not what was said", text, got)
					}
				}
			}
			if failed != nil || got != want {
				t.Fatalf("%q: got %v, want %v, %v", text, got, want, failed)
			}
		})
	})
}
