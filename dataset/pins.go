package dataset

import "slices"

// Pin is what a file or an object was when it was opened. A job carries the pins of its files to the workers, so that
// none of them reads another file under the same name.
type Pin struct {
	Path     string // as the file was opened
	Size     int64  // bytes
	Modified int64  // of a file: nanoseconds since 1970-01-01 UTC
	ETag     string // of an object, as its store writes it
}

// Pinned is a Source that reads files.
type Pinned interface {
	// Pins are those of all files, in order. Standard input, pipes and made data have none.
	Pins() []Pin
}

// Tagged is a Source whose file may say something about the whole table.
type Tagged interface {
	// Tag is what the file says under a key; "": nothing.
	Tag(key string) string
}

// TagOf is what a Source says under a key; "" where it says nothing, or has no place for it.
func TagOf(s Source, key string) string {
	if t, ok := s.(Tagged); ok {
		return t.Tag(key)
	}
	return ""
}

// PinsOf are the pins of a Source; none if it reads no files.
func PinsOf(s Source) []Pin {
	if p, ok := s.(Pinned); ok {
		return p.Pins()
	}
	return nil
}

// OfObjects says whether rows of a Source are read from an object store.
func OfObjects(s Source) bool {
	return slices.ContainsFunc(PinsOf(s), func(p Pin) bool { return p.ETag != "" })
}
