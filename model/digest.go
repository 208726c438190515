package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/feature"
)

// digestMagic opens the digest's input, so that another encoding can never give the same digest.
const digestMagic = "coterie-model-digest-1\n"

// Digest is 64 lower-case hex digits that depend on what the model computes and on nothing else: equal fits have
// equal digests whatever their names, ids, seeds, times and paths.
//
// It is the SHA-256 of, in this order, all integers being 64 bits little-endian, a text being its length in bytes
// and its bytes, a list its length and its entries:
//
//	"coterie-model-digest-1\n"
//	metric       text
//	features     list of texts: numeric, then categorical input columns
//	k, d         integers
//	transform    as below
//	centroids    k·d IEEE 754 bits of float32, 32 bits each little-endian, row by row
//	counts       list of integers
//
// The transform is written by its JSON names: an object is the number of its fields that are not zero, then name
// (text) and value of each in bytewise order of the names; a field is zero if all its bits are, if it is an absent
// value or an empty list. A value is one byte for its kind and the value: 'o' an object, 'l' a list of values, 't' a
// text, 'f' the 64 bits of a float64, 'i' an integer, 'b' an integer 0 or 1. Leaving out zeros lets a field be
// added whose zero means "as before", without changing the digests of the models there are.
func (m *Model) Digest() string {
	w := digestWriter{hash: sha256.New()}
	w.hash.Write([]byte(digestMagic))
	w.text(m.Metric)
	features := m.Features()
	w.integer(int64(len(features)))
	for _, name := range features {
		w.text(name)
	}
	w.integer(int64(m.K))
	w.integer(int64(m.Width()))
	w.transform(m.Transform)
	buffer := make([]byte, 0, 4096)
	for _, c := range m.Centroids {
		if len(buffer)+4 > cap(buffer) {
			w.hash.Write(buffer)
			buffer = buffer[:0]
		}
		buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(c))
	}
	w.hash.Write(buffer)
	w.integer(int64(len(m.Counts)))
	for _, n := range m.Counts {
		w.integer(n)
	}
	return hex.EncodeToString(w.hash.Sum(nil))
}

type digestWriter struct{ hash hash.Hash }

func (w *digestWriter) integer(v int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(v))
	w.hash.Write(b[:])
}

func (w *digestWriter) text(s string) {
	w.integer(int64(len(s)))
	w.hash.Write([]byte(s))
}

func (w *digestWriter) kind(b byte) { w.hash.Write([]byte{b}) }

func (w *digestWriter) transform(t *feature.Transform) { w.value(reflect.ValueOf(t).Elem()) }

// value walks the transform by reflection, so that a field that is added there cannot be forgotten here.
func (w *digestWriter) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		w.value(v.Elem())
	case reflect.Struct:
		w.kind('o')
		fields := objectFields(v)
		w.integer(int64(len(fields)))
		for _, f := range fields {
			w.text(f.name)
			w.value(f.value)
		}
	case reflect.Slice:
		w.kind('l')
		w.integer(int64(v.Len()))
		for i := range v.Len() {
			w.value(v.Index(i))
		}
	case reflect.String:
		w.kind('t')
		w.text(v.String())
	case reflect.Float64:
		w.kind('f')
		w.integer(int64(math.Float64bits(v.Float())))
	case reflect.Int, reflect.Int64:
		w.kind('i')
		w.integer(v.Int())
	case reflect.Bool:
		w.kind('b')
		if v.Bool() {
			w.integer(1)
		} else {
			w.integer(0)
		}
	default:
		// A mistake in the program: the tests walk every field of the type.
		panic("model: no digest for " + v.Type().String())
	}
}

type objectField struct {
	name  string
	value reflect.Value
}

// objectFields are the fields of a struct that are not zero, sorted by their JSON names, embedded structs being
// part of the outer one as they are in JSON.
func objectFields(v reflect.Value) []objectField {
	fields := appendFields(nil, v)
	slices.SortFunc(fields, func(a, b objectField) int { return strings.Compare(a.name, b.name) })
	return fields
}

func appendFields(fields []objectField, v reflect.Value) []objectField {
	for i := range v.NumField() {
		f, value := v.Type().Field(i), v.Field(i)
		switch {
		case f.Anonymous && value.Kind() == reflect.Struct:
			fields = appendFields(fields, value)
		case !f.IsExported() || isZero(value):
		default:
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				name = f.Name
			}
			fields = append(fields, objectField{name, value})
		}
	}
	return fields
}

func isZero(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice:
		return v.Len() == 0
	case reflect.Float64:
		return math.Float64bits(v.Float()) == 0
	}
	return v.IsZero()
}
