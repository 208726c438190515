package pipeline

import "testing"

func TestTextsThatASpreadsheetWouldRun(t *testing.T) {
	for cell, want := range map[string]bool{
		"": false, "a": false, "C1": false, "'=1": false, " =1": false, "007": false, "-5": false, "+49123": false, "-1.5": false, "-1,5": false,
		"=1+1": true, "=cmd|' /C calc'!A0": true, "@SUM(A1)": true, "+1+1": true, "-2+3": true, "-": true, "+": true, "-A1": true, "+.": true, "-1.5.2": true,
		"\t=1": true, "\r=1": true, "\n=1": true, "==": true, "-1e5": true,
	} {
		if got := looksLikeFormula([]byte(cell)); got != want {
			t.Errorf("%q: got %v, want %v", cell, got, want)
		}
	}
}
