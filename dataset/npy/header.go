package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	magic     = "\x93NUMPY"
	maxHeader = 1 << 16 // NumPy's own headers have 128 bytes; structured types have longer ones
	maxDims   = 32
)

// header is what the data is.
type header struct {
	dtype dtype
	rows  int64
	cols  int64
	data  int64 // offset of the first value
}

// dtype is a type of values in the file.
type dtype struct {
	kind byte // 'f', 'i' or 'u'
	size int  // bytes
	big  bool // big-endian
}

var errNotNPY = errors.New("is truncated or not an .npy file")

// notSupported is a sound array of a kind that is not read.
type notSupported struct{ what string }

func (e *notSupported) Error() string { return e.what }

// parseHeader reads the header at the start of a file of the given size; data is its first bytes, at most
// maxHeader+12 of them. It allocates no more than a few times len(data).
func parseHeader(data []byte, size int64) (header, error) {
	if len(data) < 10 || string(data[:6]) != magic {
		return header{}, errNotNPY
	}
	length, start := int64(binary.LittleEndian.Uint16(data[8:])), int64(10)
	switch data[6] {
	case 1:
	case 2, 3:
		if len(data) < 12 {
			return header{}, errNotNPY
		}
		length, start = int64(binary.LittleEndian.Uint32(data[8:])), 12
	default:
		return header{}, &notSupported{fmt.Sprintf("the .npy version %d.%d is unknown", data[6], data[7])}
	}
	if length > maxHeader {
		return header{}, fmt.Errorf("a header of %d bytes; the limit is %d", length, maxHeader)
	}
	if start+length > size || start+length > int64(len(data)) {
		return header{}, errNotNPY
	}
	h, err := parseDict(string(data[start : start+length]))
	if err != nil {
		return header{}, err
	}
	h.data = start + length
	return h, h.checkSize(size)
}

// checkSize compares the shape with the bytes that are there, without overflow.
func (h *header) checkSize(size int64) error {
	if h.cols > math.MaxInt32 {
		return fmt.Errorf("%d columns", h.cols)
	}
	width := h.cols * int64(h.dtype.size)
	have := size - h.data
	if width > 0 && h.rows > have/width || width == 0 && h.rows > 0 {
		return fmt.Errorf("the header gives %d×%d values of %d bytes, the file has %d bytes of data",
			h.rows, h.cols, h.dtype.size, have)
	}
	if h.rows > 0 && h.rows*width != have {
		return fmt.Errorf("the header gives %d×%d values of %d bytes, the file has %d bytes of data: some would be left out",
			h.rows, h.cols, h.dtype.size, have)
	}
	return nil
}

// parseDict reads {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }.
func parseDict(text string) (header, error) {
	p := &literal{text: text}
	var h header
	var descr string
	var fortran, gotOrder, gotShape bool
	var shape []int64
	p.expect('{')
	for p.err == nil && !p.accept('}') {
		name := p.str()
		p.expect(':')
		switch name {
		case "descr":
			if p.peek() != '\'' && p.peek() != '"' {
				return h, &notSupported{"holds records (a structured type)"}
			}
			descr = p.str()
		case "fortran_order":
			fortran, gotOrder = p.boolean(), true
		case "shape":
			shape, gotShape = p.tuple(), true
		default:
			p.fail("the unknown key %q", name)
		}
		if !p.accept(',') && p.peek() != '}' {
			p.fail("something unexpected at byte %d", p.pos)
		}
	}
	switch {
	case p.err != nil:
		return h, fmt.Errorf("the header cannot be read: %w", p.err)
	case descr == "" || !gotOrder || !gotShape:
		return h, errors.New("the header lacks descr, fortran_order or shape")
	}
	var err error
	if h.dtype, err = parseDtype(descr); err != nil {
		return h, err
	}
	switch len(shape) {
	case 1:
		h.rows, h.cols = shape[0], 1
	case 2:
		h.rows, h.cols = shape[0], shape[1]
	default:
		return h, &notSupported{fmt.Sprintf("has %d dimensions, not 2", len(shape))}
	}
	if fortran && h.cols > 1 && h.rows > 1 {
		return h, &notSupported{"is in Fortran order"}
	}
	if h.cols == 0 {
		return h, errors.New("has no columns")
	}
	return h, nil
}

// parseDtype reads an array-protocol type such as <f4.
func parseDtype(descr string) (dtype, error) {
	bad := &notSupported{fmt.Sprintf("holds values of type %q", descr)}
	if len(descr) != 3 {
		return dtype{}, bad
	}
	d := dtype{kind: descr[1], size: int(descr[2] - '0'), big: descr[0] == '>'}
	switch {
	case strings.IndexByte("<>|=", descr[0]) < 0,
		d.kind == 'f' && d.size != 4 && d.size != 8,
		d.kind != 'f' && d.kind != 'i' && d.kind != 'u',
		d.size != 1 && d.size != 2 && d.size != 4 && d.size != 8,
		d.size > 1 && (descr[0] == '|' || descr[0] == '='):
		return dtype{}, bad
	}
	return d, nil
}

// literal is a cursor over the few Python literals that a header is made of. The first error sticks.
type literal struct {
	text string
	pos  int
	err  error
}

func (p *literal) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// peek is the next byte that is not a space, or 0 at the end.
func (p *literal) peek() byte {
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\n' || p.text[p.pos] == '\t') {
		p.pos++
	}
	if p.pos == len(p.text) {
		return 0
	}
	return p.text[p.pos]
}

func (p *literal) accept(b byte) bool {
	if p.peek() == b && b != 0 {
		p.pos++
		return true
	}
	return false
}

func (p *literal) expect(b byte) {
	if !p.accept(b) {
		p.fail("%q is missing at byte %d", b, p.pos)
	}
}

func (p *literal) str() string {
	quote := p.peek()
	if quote != '\'' && quote != '"' {
		p.fail("a text is missing at byte %d", p.pos)
		return ""
	}
	p.pos++
	end := strings.IndexByte(p.text[p.pos:], quote)
	if end < 0 {
		p.fail("a text does not end")
		return ""
	}
	s := p.text[p.pos : p.pos+end]
	p.pos += end + 1
	return s
}

func (p *literal) boolean() bool {
	p.peek()
	for word, v := range map[string]bool{"True": true, "False": false} {
		if strings.HasPrefix(p.text[p.pos:], word) {
			p.pos += len(word)
			return v
		}
	}
	p.fail("True or False is missing at byte %d", p.pos)
	return false
}

// tuple reads (3, 2), (3,) or ().
func (p *literal) tuple() []int64 {
	var out []int64
	p.expect('(')
	for p.err == nil && !p.accept(')') {
		p.peek()
		start := p.pos
		for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
			p.pos++
		}
		v, err := strconv.ParseInt(p.text[start:p.pos], 10, 64)
		if err != nil {
			p.fail("the shape has no sound number at byte %d", start)
		}
		p.accept('L') // Python 2 wrote 3L
		if out = append(out, v); len(out) > maxDims {
			p.fail("more than %d dimensions", maxDims)
		}
		if !p.accept(',') && p.peek() != ')' {
			p.fail("something unexpected at byte %d", p.pos)
		}
	}
	return out
}
