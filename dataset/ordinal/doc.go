// Package ordinal shows columns of text as the numbers that their values stand for: school < graduate < postgraduate
// become 0, 1 and 2. A Source is wrapped, so that whoever reads it sees numbers and nothing else.
//
// A text that is not one of the column's values makes its row bad, as a word in a column of numbers does.
package ordinal
