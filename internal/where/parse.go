package where

import "slices"

// Bounds of a rule.
const (
	// MaxBytes is how long a rule may be: people and scripts write a line, and lists of customers are files.
	MaxBytes = 1 << 14
	// MaxDepth is how deep parentheses and nots may be nested: the stack grows with it.
	MaxDepth = 64
)

// Filter is a rule that has been read. It does not know yet what its columns hold.
type Filter struct {
	rule    string
	root    *node
	columns []string
}

// node is a part of a rule: and, or and not with their parts, or a test.
type node struct {
	op    string // and, or, not; a comparison; in, between, missing
	at    int
	parts []*node   // of and, or, not
	left  operand   // of a test
	right []operand // of a comparison one, of between two, of in at least one
}

// operand is a column or a constant.
type operand struct {
	token
	column int // in Filter.columns; −1: a constant
}

// Parse reads a rule. The error is an *Error.
func Parse(rule string) (*Filter, error) {
	f := &Filter{rule: rule}
	p := &parser{lexer: lexer{rule: rule}, filter: f}
	if len(rule) > MaxBytes {
		return nil, p.fail(MaxBytes, "a rule has at most %d bytes", MaxBytes)
	}
	err := p.advance()
	if err == nil {
		f.root, err = p.any(0)
	}
	if err == nil && p.token.kind != end {
		err = p.fail(p.token.at, "and, or or the end of the rule is expected here")
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Columns are the columns that the rule names, each once, in the order of their first mention.
func (f *Filter) Columns() []string { return f.columns }

// String is the rule as it was written.
func (f *Filter) String() string { return f.rule }

// parser reads by recursive descent, one token ahead.
type parser struct {
	lexer
	filter *Filter
	token  token
}

func (p *parser) advance() (err error) {
	p.token, err = p.next()
	return err
}

// taken goes on if the token is this keyword.
func (p *parser) taken(keyword string) (bool, error) {
	if !p.token.keyword(keyword) {
		return false, nil
	}
	return true, p.advance()
}

// need goes on if the token is this sign, and fails otherwise.
func (p *parser) need(s string) error {
	if !p.token.is(s) {
		return p.fail(p.token.at, "%s is expected here", s)
	}
	return p.advance()
}

// any is parts joined by or.
func (p *parser) any(depth int) (*node, error) { return p.joined("or", depth, p.all) }

// all is parts joined by and.
func (p *parser) all(depth int) (*node, error) { return p.joined("and", depth, p.one) }

func (p *parser) joined(op string, depth int, part func(int) (*node, error)) (*node, error) {
	first, err := part(depth)
	if err != nil || !p.token.keyword(op) {
		return first, err
	}
	n := &node{op: op, at: first.at, parts: []*node{first}}
	for {
		more, err := p.taken(op)
		if err != nil || !more {
			return n, err
		}
		next, err := part(depth)
		if err != nil {
			return nil, err
		}
		n.parts = append(n.parts, next)
	}
}

// one is a test, or something in parentheses or behind a not.
func (p *parser) one(depth int) (*node, error) {
	at := p.token.at
	if depth >= MaxDepth {
		return nil, p.fail(at, "parentheses and nots are nested more than %d deep", MaxDepth)
	}
	if not, err := p.taken("not"); not || err != nil {
		if err != nil {
			return nil, err
		}
		part, err := p.one(depth + 1)
		return &node{op: "not", at: at, parts: []*node{part}}, err
	}
	if !p.token.is("(") {
		return p.test()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.any(depth + 1)
	if err == nil {
		err = p.need(")")
	}
	return n, err
}

// test compares an operand with others.
func (p *parser) test() (*node, error) {
	n := &node{at: p.token.at}
	var err error
	if n.left, err = p.operand(true); err != nil {
		return nil, err
	}
	if t := p.token; t.kind == sign && slices.Contains([]string{"=", "!=", "<", "<=", ">", ">="}, t.text) {
		n.op, n.at = t.text, t.at
		if err := p.advance(); err != nil {
			return nil, err
		}
		right, err := p.operand(true)
		n.right = []operand{right}
		if err == nil && n.left.column < 0 && right.column < 0 {
			err = p.fail(n.at, "neither side is a column")
		}
		return n, err
	}
	return p.words(n)
}

// words is a test that is spelled in words.
func (p *parser) words(n *node) (*node, error) {
	n.at = p.token.at
	if n.left.column < 0 {
		return nil, p.fail(n.at, "a comparison is expected here: = != < <= > >=")
	}
	is, err := p.taken("is")
	if err != nil {
		return nil, err
	}
	not, err := p.taken("not")
	if err != nil {
		return nil, err
	}
	word := p.token
	switch {
	case is && word.keyword("missing"):
		n.op, err = "missing", p.advance()
	case is:
		return nil, p.fail(word.at, "missing or not missing is expected here")
	case word.keyword("in"):
		n.op, err = "in", p.list(n)
	case word.keyword("between"):
		n.op, err = "between", p.between(n)
	default:
		return nil, p.fail(word.at, "a comparison is expected here: = != < <= > >=, in (…), between … and …, is missing")
	}
	if not {
		n = &node{op: "not", at: n.at, parts: []*node{n}}
	}
	return n, err
}

// list is (…, …) behind in.
func (p *parser) list(n *node) error {
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.need("("); err != nil {
		return err
	}
	for {
		o, err := p.operand(false)
		if err != nil {
			return err
		}
		n.right = append(n.right, o)
		if !p.token.is(",") {
			return p.need(")")
		}
		if err := p.advance(); err != nil {
			return err
		}
	}
}

// between is … and … behind between.
func (p *parser) between(n *node) error {
	if err := p.advance(); err != nil {
		return err
	}
	low, err := p.operand(false)
	if err != nil {
		return err
	}
	and, err := p.taken("and")
	if err != nil {
		return err
	}
	if !and {
		return p.fail(p.token.at, "and is expected here: between … and …")
	}
	high, err := p.operand(false)
	n.right = []operand{low, high}
	return err
}

// reserved are words that are no columns unless they are quoted.
var reserved = []string{"and", "or", "not", "in", "is", "between", "missing"}

// operand is a column, if columns are allowed, or a constant. The words true and false are texts, as flags are read.
func (p *parser) operand(columns bool) (operand, error) {
	t := p.token
	o := operand{token: t, column: -1}
	switch {
	case t.kind == number, t.kind == text:
	case t.keyword("true"):
		o.kind, o.text = text, "true"
	case t.keyword("false"):
		o.kind, o.text = text, "false"
	case !columns:
		return o, p.fail(t.at, "a number or a 'text' is expected here")
	case t.kind == name, t.kind == word && !slices.ContainsFunc(reserved, t.keyword):
		o.column = slices.Index(p.filter.columns, t.text)
		if o.column < 0 {
			o.column = len(p.filter.columns)
			p.filter.columns = append(p.filter.columns, t.text)
		}
	default:
		return o, p.fail(t.at, "a column, a number or a 'text' is expected here")
	}
	return o, p.advance()
}
