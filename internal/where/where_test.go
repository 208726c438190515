package where

import (
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/hostile"
)

// The table that rules are tried on: five customers, the last of whom lacks everything.
var (
	monetary = []float64{100, 500, 500.5, 1e6, math.NaN()}
	visits   = []float32{1, 2, 3, 2, float32(math.NaN())}
	country  = []string{"France", "Spain", "O'Land", "", ""}
	quoted   = []string{"a", "b", "c", "d", ""}
)

func kindOf(column string) Kind {
	if column == "country" || column == `odd "name"` {
		return Text
	}
	return Number
}

// vectors are the columns of a rule.
func vectors(t testing.TB, f *Filter) []dataset.Vector {
	t.Helper()
	words := func(list []string) dataset.Vector {
		v := dataset.Vector{Text: dataset.Strings{Offsets: []int{0}}}
		for _, s := range list {
			v.Text.Data = append(v.Text.Data, s...)
			v.Text.Offsets = append(v.Text.Offsets, len(v.Text.Data))
			v.Missing = append(v.Missing, s == "")
		}
		return v
	}
	var list []dataset.Vector
	for _, name := range f.Columns() {
		switch name {
		case "visits":
			list = append(list, dataset.Vector{Float32: visits})
		case "country":
			list = append(list, words(country))
		case `odd "name"`:
			list = append(list, words(quoted))
		default:
			list = append(list, dataset.Vector{Float64: monetary})
		}
	}
	return list
}

func TestRulesMeetTheRowsTheyShould(t *testing.T) {
	for _, c := range []struct{ rule, want string }{ // rows that are met
		{"monetary>500", "23"},
		{"monetary >= 500 AND visits < 3", "13"},
		{"monetary = 500 or monetary = 1e6", "13"},
		{"500 < monetary", "23"},
		{"monetary != 500", "023"},
		{"not monetary > 500", "01"}, // a missing value meets neither
		{"not not monetary > 500", "23"},
		{"monetary > 500 or country = 'France'", "023"},
		{"monetary is missing", "4"},
		{"country is missing", "34"},
		{"country is not missing", "012"},
		{"country in ('France', 'O''Land')", "02"},
		{"country not in ('France')", "12"},
		{"visits in (1, 3)", "02"},
		{"visits not in (1, 3)", "13"},
		{"visits between 2 and 3", "123"},
		{"visits not between 2 and 3", "0"},
		{"country between 'P' and 'T'", "1"},
		{"country < 'G'", "0"},
		{"monetary > visits", "0123"},
		{"monetary<=-.5e1", ""},
		{`"odd ""name""" = 'b'`, "1"},
		{`"monetary" > 500`, "23"},
		// and binds more tightly than or, not more than and.
		{"visits = 1 or visits = 2 and monetary > 500", "03"},
		{"(visits = 1 or visits = 2) and monetary > 500", "3"},
		{"not visits = 1 and monetary < 501", "12"},
		{"country = true", ""},
		{" ( ( visits=1 ) )\n", "0"},
		{"not (monetary is missing and country = 'x')", "0123"}, // what is not there is unknown, and unknown is not met
	} {
		f, err := Parse(c.rule)
		if err != nil {
			t.Errorf("%s: got %v", c.rule, err)
			continue
		}
		rule, err := f.Bind(kindOf)
		if err != nil {
			t.Errorf("%s: got %v", c.rule, err)
			continue
		}
		got, columns := "", vectors(t, f)
		for i := range monetary {
			if rule.Match(columns, i) {
				got += string(rune('0' + i))
			}
		}
		if got != c.want {
			t.Errorf("%s: got rows %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestMistakesAreMarkedWhereTheyAre(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{"", "at character 1, ^: a column, a number or a 'text' is expected here"},
		{"monetary", "at character 9, monetary^: a comparison is expected here: = != < <= > >=, in (…), between … and …, is missing"},
		{"monetary >> 500", "at character 11, monetary >^> 500: a column, a number or a 'text' is expected here"},
		{"monetary == 5", "at character 10, monetary ^== 5: write = instead of =="},
		{"a <> 5", "at character 3, a ^<> 5: write != instead of <>"},
		{"a = 1 && b = 1", "at character 7, a = 1 ^&& b = 1: write and instead of &&"},
		{"a = 1 b = 2", "at character 7, a = 1 ^b = 2: and, or or the end of the rule is expected here"},
		{"(a = 1", "at character 7, (a = 1^: ) is expected here"},
		{"a = 'x", "at character 5, a = ^'x: this quote is not closed"},
		{"a = 1x", "at character 5, a = ^1x: 1x is not a number"},
		{"a = 1e999", "at character 5, a = ^1e999: 1e999 is not a number"},
		{"a = 0x10", "at character 5, a = ^0x10: 0x10 is not a number"},
		{"a = +-5", "at character 5, a = ^+-5: + is not a number"},
		{"a in ()", "at character 7, a in (^): a number or a 'text' is expected here"},
		{"a in (b)", "at character 7, a in (^b): a number or a 'text' is expected here"},
		{"a between 1 or 2", "at character 13, a between 1 ^or 2: and is expected here: between … and …"},
		{"a is 5", "at character 6, a is ^5: missing or not missing is expected here"},
		{"a is null", "at character 6, a is ^null: missing or not missing is expected here"},
		{"1 = 2", "at character 3, 1 ^= 2: neither side is a column"},
		{"5 in (1)", "at character 3, 5 ^in (1): a comparison is expected here: = != < <= > >="},
		{"not", "at character 4, not^: a column, a number or a 'text' is expected here"},
		{"größe = ;", "at character 9, größe = ^;: this character has no meaning here; put a text in single quotes and a column with such a name in double quotes"},
		{`"" = 1`, `at character 1, ^"" = 1: a column has no empty name`},
		{"monetary > 'x'", "at character 12, monetary > ^'x': monetary holds numbers, and this is a text"},
		{"country = 5", "at character 11, country = ^5: country holds texts, and this is a number: write '5'"},
		{"country in ('a', 5)", "at character 18, country in ('a', ^5): country holds texts, and this is a number: write '5'"},
		{"5 < country", "at character 5, 5 < ^country: country holds texts, and this is a number: write '5'"},
		{"country = monetary", "at character 11, country = ^monetary: one of country and monetary holds numbers, the other texts"},
		{strings.Repeat("a = 1 and ", 9) + "b ~ 2" + strings.Repeat(" and a = 1", 9),
			"at character 93, …= 1 and a = 1 and a = 1 and a = 1 and b ^~ 2 and a = 1 and a = 1 and a = 1 and a …: this character has no meaning here; " +
				"put a text in single quotes and a column with such a name in double quotes"},
	} {
		f, err := Parse(c.rule)
		if err == nil {
			_, err = f.Bind(kindOf)
		}
		var ours *Error
		if !errors.As(err, &ours) || err.Error() != c.want {
			t.Errorf("%q: got  %v\nwant %s", c.rule, err, c.want)
		}
	}
}

func TestBoundsOfLengthAndDepth(t *testing.T) {
	longest := "a = 1" + strings.Repeat(" ", MaxBytes-5)
	deepest := strings.Repeat("(", MaxDepth-1) + "a = 1" + strings.Repeat(")", MaxDepth-1)
	nots := strings.Repeat("not ", MaxDepth-1) + "a = 1"
	for _, rule := range []string{longest, deepest, nots} {
		if _, err := Parse(rule); err != nil {
			t.Errorf("%.20s…: got %v", rule, err)
		}
	}
	for _, rule := range []string{longest + " ", "(" + deepest + ")", "not " + nots, strings.Repeat("(", MaxBytes), strings.Repeat("not ", MaxBytes/4)} {
		if _, err := Parse(rule); err == nil {
			t.Errorf("%.20s…: got no error", rule)
		}
	}
}

// FuzzParse holds that no rule panics, that errors are of one line, and that what was read can be matched. What is allocated
// grows with the rule's length alone.
func FuzzParse(f *testing.F) {
	for _, rule := range []string{"monetary>500", "not (a in ('x', 'y''z') or b between -1 and .5e3) and c is not missing", `"odd ""name""" = 'b'`,
		"a = 'x", "((((", "a == 1", "\xff = 1", "a in (1,,2)", "not not not", "visits >= monetary"} {
		f.Add(rule)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		hostile.Ceiling(t, len(rule), 256<<10, 1<<10, func() {
			filter, err := Parse(rule)
			if err == nil {
				var bound *Rule
				if bound, err = filter.Bind(kindOf); err == nil {
					columns := vectors(t, filter)
					for i := range monetary {
						bound.Match(columns, i)
					}
				}
			}
			if err != nil && (strings.ContainsAny(err.Error(), "\n\r\x00") || !utf8.ValidString(err.Error())) {
				t.Errorf("%q: got %q, which is not one line of text", rule, err)
			}
		})
	})
}

func TestMatchingDoesNotAllocate(t *testing.T) {
	f, err := Parse("monetary > 100 and country in ('France', 'Spain') or visits between 1 and 2 and not country = 'x'")
	if err != nil {
		t.Fatal(err)
	}
	rule, err := f.Bind(kindOf)
	if err != nil {
		t.Fatal(err)
	}
	columns := vectors(t, f)
	if got := testing.AllocsPerRun(100, func() { rule.Match(columns, 1) }); got != 0 {
		t.Errorf("got %v allocations a row, want none", got)
	}
	deepest := strings.Repeat("a=1 or ", MaxBytes/7-1) + "a=1"
	if got := testing.AllocsPerRun(2, func() { _, err = Parse(deepest) }); err != nil || got > MaxBytes {
		t.Errorf("got %v allocations for a rule of %d bytes, %v", got, len(deepest), err)
	}
}
