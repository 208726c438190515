package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/lookup"
)

// question is what the body of a request asks.
type question struct {
	table   *lookup.Table
	ids     []*string // by row; what the caller calls its customers is given back
	because bool
	batch   bool
}

// decodeOne reads {"values": {…}, "id": …, "because": …}. The error is a *failure.
func decodeOne(f *lookup.Finder, body []byte) (*question, error) {
	d := newDecoder(f, body)
	d.because = true
	err := d.whole(func() error {
		if err := d.addRow(); err != nil {
			return err
		}
		return d.row("", func(key string) (bool, error) { return d.flag(key) })
	})
	if err != nil {
		return nil, err
	}
	return &d.question, nil
}

// decodeBatch reads {"rows": [{"values": {…}, "id": …}, …], "because": …}. The error is a *failure.
func decodeBatch(f *lookup.Finder, body []byte) (*question, error) {
	d := newDecoder(f, body)
	d.batch = true
	rows := false
	err := d.whole(func() error {
		return d.object("", func(key string) error {
			if known, err := d.flag(key); known || err != nil {
				return err
			}
			if key != "rows" {
				return unknownKey("", key, "rows", "because")
			}
			rows = true
			return d.array("rows", func(i int) error {
				if err := d.addRow(); err != nil {
					return err
				}
				return d.row("rows["+strconv.Itoa(i)+"].", nil)
			})
		})
	})
	switch {
	case err != nil:
		return nil, err
	case !rows:
		return nil, bad("rows", "is missing").Do(`send {"rows": [{"values": {…}}, …]}`)
	case d.because:
		if err := f.Explains(d.table.Rows); err != nil {
			return nil, wrongValue(err, "because")
		}
	}
	return &d.question, nil
}

// decoder walks a body token by token: nothing is kept of it but what the table holds.
type decoder struct {
	*json.Decoder
	question
	finder *lookup.Finder
	given  map[string]int // the row, from 1, in which a feature was given last
	empty  bool           // there is nothing but white space
}

func newDecoder(f *lookup.Finder, body []byte) *decoder {
	d := &decoder{Decoder: json.NewDecoder(bytes.NewReader(body)), finder: f, given: make(map[string]int),
		empty: len(bytes.TrimSpace(body)) == 0}
	d.UseNumber()
	d.table = f.NewTable()
	return d
}

// whole reads one value and holds that nothing follows it.
func (d *decoder) whole(read func() error) error {
	if err := read(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("", "something follows the document")
	}
	return nil
}

// next is the next token.
func (d *decoder) next() (json.Token, error) {
	token, err := d.Token()
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return token, nil
	case errors.As(err, &syntax):
		return nil, bad("", "the body is not JSON: byte %d: %v", syntax.Offset, syntax)
	case errors.Is(err, io.EOF) && d.empty:
		return nil, bad("", "the body is empty").Do("send a JSON document, as /openapi.json describes it")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, bad("", "the body is not whole JSON: it ends after %d bytes", d.InputOffset())
	}
	return nil, bad("", "the body is not JSON: %v", err)
}

// opens reads the first token of an object or array.
func (d *decoder) opens(path string, want json.Delim) error {
	token, err := d.next()
	if err != nil {
		return err
	}
	if token != want {
		what := "an object, {…}"
		if want == '[' {
			what = "a list, […]"
		}
		return bad(strings.TrimSuffix(path, "."), "must be %s", what)
	}
	return nil
}

// object reads an object; each is told of every key and reads its value. A key must not be there twice.
func (d *decoder) object(path string, each func(key string) error) error {
	if err := d.opens(path, '{'); err != nil {
		return err
	}
	var seen [4]string // the few keys that there can be
	keys := seen[:0]
	for d.More() {
		token, err := d.next()
		if err != nil {
			return err
		}
		key, _ := token.(string) // the decoder takes nothing else
		for _, k := range keys {
			if k == key {
				return bad(path+key, "is there twice")
			}
		}
		if len(keys) < cap(keys) {
			keys = append(keys, key)
		}
		if err := each(key); err != nil {
			return err
		}
	}
	_, err := d.next()
	return err
}

func (d *decoder) array(path string, each func(i int) error) error {
	if err := d.opens(path, '['); err != nil {
		return err
	}
	for i := 0; d.More(); i++ {
		if err := each(i); err != nil {
			return err
		}
	}
	_, err := d.next()
	return err
}

// clip shortens a text from outside for a message.
func clip(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func unknownKey(path, key string, known ...string) error {
	f := bad(path+clip(key), "is unknown here")
	if near := fault.Nearest(clip(key), known); near != "" {
		return f.Do("did you mean %q?", near)
	}
	return f.Do("there can be %s", strings.Join(known, ", "))
}

// wrongValue makes a failure of an error of package lookup; field is where the value stood.
func wrongValue(err error, field string) *failure {
	var known *lookup.Error
	if !errors.As(err, &known) {
		return &failure{Status: http.StatusInternalServerError, Message: "the server cannot answer: " + err.Error()}
	}
	return &failure{Status: http.StatusBadRequest, Field: field, Message: known.Problem, Remedy: known.Remedy}
}
