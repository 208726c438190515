package where

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error is what is wrong with a rule, and where.
type Error struct {
	Rule    string
	At      int // the offset in bytes
	Problem string
}

// shown is how many characters of the rule a message shows on either side of the place.
const shown = 40

// Error renders the rule with a mark at the place: `at character 12, monetary > ^> 500: a value is expected`.
func (e *Error) Error() string {
	before, after := e.Rule[:e.At], e.Rule[e.At:]
	at := utf8.RuneCountInString(before) + 1
	if at > shown+1 {
		from := len(before)
		for range shown {
			_, n := utf8.DecodeLastRuneInString(before[:from])
			from -= n
		}
		before = "…" + before[from:]
	}
	if utf8.RuneCountInString(after) > shown {
		to := 0
		for range shown {
			_, n := utf8.DecodeRuneInString(after[to:])
			to += n
		}
		after = after[:to] + "…"
	}
	return fmt.Sprintf("at character %d, %s: %s", at, printable(before)+"^"+printable(after), e.Problem)
}

// printable keeps a message on its line.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}

// kind is what a token is.
type kind int

const (
	end  kind = iota
	word      // a name or a keyword
	name      // a column in double quotes
	number
	text
	sign // an operator, a parenthesis or a comma
)

// token is one of the pieces that a rule consists of.
type token struct {
	kind  kind
	at    int
	text  string // of a word as it stands there; of a name or a text without its quotes
	value float64
}

// keyword says whether the token is this word, in any case.
func (t *token) keyword(k string) bool { return t.kind == word && strings.EqualFold(t.text, k) }

// sign says whether the token is this sign.
func (t *token) is(s string) bool { return t.kind == sign && t.text == s }

// lexer cuts a rule into tokens.
type lexer struct {
	rule string
	at   int
}

func (l *lexer) fail(at int, format string, args ...any) error {
	return &Error{l.rule, at, fmt.Sprintf(format, args...)}
}

// next is the token at l.at.
func (l *lexer) next() (token, error) {
	for l.at < len(l.rule) && strings.IndexByte(" \t\r\n", l.rule[l.at]) >= 0 {
		l.at++
	}
	from := l.at
	if from == len(l.rule) {
		return token{kind: end, at: from}, nil
	}
	switch c := l.rule[from]; {
	case c == '\'':
		s, err := l.quoted('\'')
		return token{kind: text, at: from, text: s}, err
	case c == '"':
		s, err := l.quoted('"')
		if err == nil && s == "" {
			err = l.fail(from, "a column has no empty name")
		}
		return token{kind: name, at: from, text: s}, err
	case c >= '0' && c <= '9', (c == '.' || c == '-' || c == '+') && l.digitFollows():
		return l.number()
	}
	if t, err := l.sign(); t.kind != end || err != nil {
		return t, err
	}
	for l.at < len(l.rule) {
		r, n := utf8.DecodeRuneInString(l.rule[l.at:])
		if r == utf8.RuneError || !(r == '_' || unicode.IsLetter(r) || l.at > from && (r == '.' || unicode.IsDigit(r))) {
			break
		}
		l.at += n
	}
	if l.at == from {
		return token{}, l.fail(from, "this character has no meaning here; put a text in single quotes and a column with such a name in double quotes")
	}
	return token{kind: word, at: from, text: l.rule[from:l.at]}, nil
}

// quoted is the text up to the closing quote; doubled quotes are one.
func (l *lexer) quoted(quote byte) (string, error) {
	from := l.at
	var b strings.Builder
	for i := from + 1; i < len(l.rule); i++ {
		switch {
		case l.rule[i] != quote:
			b.WriteByte(l.rule[i])
		case i+1 < len(l.rule) && l.rule[i+1] == quote:
			b.WriteByte(quote)
			i++
		default:
			l.at = i + 1
			return b.String(), nil
		}
	}
	return "", l.fail(from, "this quote is not closed")
}

// digitFollows says whether what begins with a sign or a point is a number.
func (l *lexer) digitFollows() bool {
	rest := strings.TrimLeft(l.rule[l.at:min(l.at+3, len(l.rule))], "+-")
	rest = strings.TrimPrefix(rest, ".")
	return rest != "" && rest[0] >= '0' && rest[0] <= '9'
}

// number is a decimal number, with or without a sign, a fraction and an exponent.
func (l *lexer) number() (token, error) {
	from := l.at
	for l.at++; l.at < len(l.rule); l.at++ {
		c, before := l.rule[l.at], l.rule[l.at-1]
		exponent := (c == '+' || c == '-') && (before == 'e' || before == 'E')
		if !(c >= '0' && c <= '9' || c == '.' || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || exponent) {
			break
		}
	}
	spelled := l.rule[from:l.at]
	x, err := strconv.ParseFloat(spelled, 64)
	if err != nil || math.IsInf(x, 0) || strings.ContainsAny(spelled, "xXpP_") {
		return token{}, l.fail(from, "%s is not a number", printable(spelled))
	}
	return token{kind: number, at: from, text: spelled, value: x}, nil
}

// signs, the longer ones first.
var signs = []string{"<=", ">=", "!=", "==", "<>", "&&", "||", "=", "<", ">", "(", ")", ","}

// others are what the signs of other languages are called here.
var others = map[string]string{"==": "=", "<>": "!=", "&&": "and", "||": "or"}

func (l *lexer) sign() (token, error) {
	for _, s := range signs {
		if !strings.HasPrefix(l.rule[l.at:], s) {
			continue
		}
		if ours := others[s]; ours != "" {
			return token{}, l.fail(l.at, "write %s instead of %s", ours, s)
		}
		l.at += len(s)
		return token{kind: sign, at: l.at - len(s), text: s}, nil
	}
	return token{}, nil
}
