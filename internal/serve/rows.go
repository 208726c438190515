package serve

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/coterie-project/coterie/internal/lookup"
)

// addRow begins a row.
func (d *decoder) addRow() error {
	if err := d.table.Add(); err != nil {
		return wrongValue(err, "rows")
	}
	d.ids = append(d.ids, nil)
	return nil
}

// row reads {"values": {…}, "id": …} into the last row; other takes the keys that may stand beside them.
func (d *decoder) row(path string, other func(key string) (bool, error)) error {
	values := false
	err := d.object(path, func(key string) error {
		switch key {
		case "values":
			values = true
			return d.values(path + "values.")
		case "id":
			return d.id(path + "id")
		}
		if other == nil {
			return unknownKey(path, key, "values", "id")
		}
		if known, err := other(key); known || err != nil {
			return err
		}
		return unknownKey(path, key, "values", "id", "because")
	})
	if err == nil && !values {
		return bad(path+"values", "is missing").Do(`send {"values": {"feature": value, …}}`)
	}
	return err
}

// flag reads the value of "because"; known is false for another key.
func (d *decoder) flag(key string) (known bool, err error) {
	if key != "because" {
		return false, nil
	}
	token, err := d.next()
	if err != nil {
		return true, err
	}
	is, ok := token.(bool)
	if !ok {
		return true, bad(key, "must be true or false")
	}
	d.because = is
	return true, nil
}

// id reads what the caller calls its customer.
func (d *decoder) id(path string) error {
	token, err := d.next()
	if err != nil {
		return err
	}
	var id string
	switch t := token.(type) {
	case nil:
		return nil
	case string:
		id = t
	case json.Number:
		id = t.String()
	default:
		return bad(path, "must be a text or a number")
	}
	d.ids[len(d.ids)-1] = &id
	return nil
}

// values reads the features of the last row.
func (d *decoder) values(path string) error {
	if err := d.opens(path, '{'); err != nil {
		return err
	}
	row := d.table.Rows - 1
	for d.More() {
		token, err := d.next()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		column, err := d.finder.Column(name)
		if err != nil {
			return wrongValue(err, path+clip(name))
		}
		if d.given[name] == d.table.Rows {
			return bad(path+name, "is there twice")
		}
		d.given[name] = d.table.Rows
		if err := d.value(path+name, column, row); err != nil {
			return err
		}
	}
	_, err := d.next()
	return err
}

// value reads one value of a row.
func (d *decoder) value(path string, c lookup.Column, row int) error {
	token, err := d.next()
	if err != nil || token == nil {
		return err // null is a missing value
	}
	number, isNumber := token.(json.Number)
	text, isText := token.(string)
	switch {
	case c.Kind == lookup.Number && isNumber:
		x, err := strconv.ParseFloat(number.String(), 64)
		if err != nil || math.IsInf(x, 0) {
			return bad(path, "%s is too large for a number", clip(number.String()))
		}
		d.table.SetNumber(c, row, x)
		return nil
	case c.Kind == lookup.Number && isText:
		return bad(path, "%q is a text", clip(text)).Do("numbers stand without quotes; null is a missing value")
	case c.Kind == lookup.Number:
		return bad(path, "must be a number, or null where it is missing")
	case !isText:
		return bad(path, "must be a text in quotes, or null where it is missing")
	}
	if err := d.table.SetText(c, row, text); err != nil {
		return wrongValue(err, path)
	}
	return nil
}
