// Package where is the language of --where: rules that a row of a table meets or does not.
//
//	monetary > 500 and (recency_days <= 30 or country in ('France', 'Spain')) and not frequency between 1 and 2
//
// A rule compares columns with numbers and texts, or with each other: = != < <= > >=, in (…), between … and …, is missing,
// each of the last three also with not; and, or, not and parentheses join them, not before and before or. Texts stand in
// single quotes and are compared byte by byte; a column whose name is no plain word stands in double quotes. A quote within
// either is doubled.
//
// Logic is that of SQL, with three values: a comparison with a missing value is neither met nor not met, and not does not change
// that. Only what is met counts; is missing asks.
//
//	lex.go    words, numbers, texts
//	parse.go  Parse, the grammar and its bounds
//	bind.go   Bind and Rule: columns get their kinds, and rows are matched
//
// Bounds: MaxBytes of text and MaxDepth of nesting, so that hostile rules cost neither time nor stack.
//
// What it does not do: compute. There is no arithmetic, and there are no functions.
package where
