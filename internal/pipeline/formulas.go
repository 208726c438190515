package pipeline

// What becomes of texts in a list that a spreadsheet would take for a formula, and run.
const (
	KeepFormulas  = "keep"  // they stay as they are: a list is read by programs too, and an id is an id
	QuoteFormulas = "quote" // an apostrophe in front makes them texts for a spreadsheet
)

// looksLikeFormula says whether a spreadsheet would take the text of a cell for a formula: those begin with =, +, - or @, also
// behind a tab or a line end. A number with its sign is none.
func looksLikeFormula(cell []byte) bool {
	if len(cell) == 0 {
		return false
	}
	switch cell[0] {
	case '=', '@', '\t', '\r', '\n':
		return true
	case '+', '-':
		return !signed(cell[1:])
	}
	return false
}

// signed says whether what follows a sign is digits with at most one point or comma between them.
func signed(digits []byte) bool {
	points, any := 0, false
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			any = true
		case c == '.', c == ',':
			points++
		default:
			return false
		}
	}
	return any && points <= 1
}
