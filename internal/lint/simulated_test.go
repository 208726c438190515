package lint

import (
	"os"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/sim"
)

// TestEveryFaultOfTheSimulationStandsOnThePage: what can fail is said to people, with a test; that the test exists is for
// Failures.
func TestEveryFaultOfTheSimulationStandsOnThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	held := make(map[string]bool)
	for line := range strings.Lines(string(page)) {
		columns := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if name, _, named := strings.Cut(strings.TrimPrefix(strings.TrimSpace(columns[0]), "`"), "`"); named && strings.Contains(columns[len(columns)-1], "Test") {
			held[name] = true
		}
	}
	for _, f := range sim.Faults() {
		if !held[string(f.Kind)] {
			t.Errorf("docs/failures.md has no row with a test for the fault `%s`: %s", f.Kind, f.Says)
		}
	}
}
