package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// limited is a list that stops being read when it is too long, since three bytes of JSON can ask for a struct.
type limited[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *limited[T]) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	open, err := d.Token()
	if err != nil {
		return err
	}
	if open == nil {
		return nil
	}
	if open != json.Delim('[') {
		return fmt.Errorf("%.20q where a list is due", data)
	}
	*l = nil
	for d.More() {
		if len(*l) == maxList {
			return fmt.Errorf("a list of more than %d entries", maxList)
		}
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		*l = append(*l, v)
	}
	return nil
}

// matrix is rows of equal width, in one piece: a slice for each row would let two bytes of JSON ask for 24.
type matrix struct {
	values      []float32
	rows, width int
}

// UnmarshalJSON implements json.Unmarshaler; data is valid JSON.
func (m *matrix) UnmarshalJSON(data []byte) error {
	*m = matrix{}
	rest, ok := bytes.CutPrefix(data, []byte("["))
	if !ok {
		return errors.New("centroids are no list")
	}
	// The brackets and commas of a matrix say how large it is; more brackets than that only make the guess too large
	// by what they cost in bytes.
	m.values = make([]float32, 0, bytes.Count(rest, []byte(","))+1)
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n,")
		if len(rest) == 0 || rest[0] == ']' {
			return nil
		}
		if rest[0] != '[' {
			return fmt.Errorf("row %d of the centroids is no list", m.rows)
		}
		end := bytes.IndexByte(rest, ']')
		if end < 0 {
			return fmt.Errorf("row %d of the centroids has no end", m.rows)
		}
		if err := m.row(rest[1:end]); err != nil {
			return err
		}
		rest = rest[end+1:]
	}
}

// row reads the numbers between the brackets.
func (m *matrix) row(data []byte) error {
	before := len(m.values)
	for len(data) > 0 {
		var cell []byte
		cell, data, _ = bytes.Cut(data, []byte(","))
		v, err := strconv.ParseFloat(string(bytes.TrimSpace(cell)), 32)
		if err != nil {
			return fmt.Errorf("row %d of the centroids: %.40q is no float32", m.rows, cell)
		}
		m.values = append(m.values, float32(v))
	}
	width := len(m.values) - before
	if m.rows > 0 && width != m.width {
		return fmt.Errorf("row %d of the centroids has %d columns, not %d", m.rows, width, m.width)
	}
	m.width = width
	m.rows++
	return nil
}
