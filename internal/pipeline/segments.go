package pipeline

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/store"
	"github.com/coterie-project/coterie/model"
)

// maxSegmentName is the characters of a name: pages and tables would cut a longer one.
const maxSegmentName = 80

// Rename is a new name for a segment, which is told by its index or its id.
type Rename struct {
	Segment string
	Name    string
}

// ParseRename reads SEGMENT=NAME. The error is of kind Usage and says what is wrong with the text.
func ParseRename(text string) (Rename, error) {
	segment, name, ok := strings.Cut(text, "=")
	r := Rename{Segment: strings.TrimSpace(segment), Name: strings.TrimSpace(name)}
	switch {
	case !ok || r.Segment == "":
		return r, fault.Usagef("%q is not SEGMENT=NAME", text).Do(`write a segment's number or id and its new name, such as 3="Big spenders"`)
	case r.Name == "":
		return r, fault.Usagef("%q gives segment %s an empty name", text, r.Segment).Do("give a name that people know the segment by")
	case !utf8.ValidString(r.Name) || strings.ContainsFunc(r.Name, func(c rune) bool { return !unicode.IsPrint(c) }):
		return r, fault.Usagef("%q has characters that cannot be shown", text).Do("use letters, digits, signs and spaces")
	case utf8.RuneCountInString(r.Name) > maxSegmentName:
		return r, fault.Usagef("the name of segment %s has %d characters, at most %d are shown", r.Segment, utf8.RuneCountInString(r.Name), maxSegmentName).
			Do("choose a shorter one")
	}
	return r, nil
}

// RenameSegments gives segments of the model in a file new names, all of them or none, and gives back the model. What the
// model computes stays, and so does its digest. The names are marked as given by people.
// In an object the model is replaced only if nobody else has changed it meanwhile.
func RenameSegments(file string, renames []Rename) (*model.Model, error) {
	read, write := model.ReadFile, model.WriteFile
	if object.Is(file) {
		read, write = readToReplace()
	}
	m, err := read(file)
	if err != nil {
		return nil, err
	}
	done := make([]bool, m.K)
	for _, r := range renames {
		i, err := findSegment(m, r.Segment, file)
		if err != nil {
			return nil, err
		}
		if done[i] {
			return nil, fault.Usagef("segment %d is given two names, the second %q", i, r.Name).Do("give each segment one name")
		}
		done[i] = true
		m.Segments[i].Name, m.Segments[i].Named = r.Name, true
	}
	if err := ownNames(m.Segments, done); err != nil {
		return nil, err
	}
	return m, write(file, m)
}

// readToReplace are model.ReadFile and model.WriteFile for an object, the latter on the condition that the former's stands.
func readToReplace() (read func(string) (*model.Model, error), write func(string, *model.Model) error) {
	var was object.Info
	read = func(file string) (m *model.Model, err error) {
		m, was, err = model.ReadObject(file)
		return m, err
	}
	write = func(file string, m *model.Model) error {
		data, err := m.Encode()
		if err != nil {
			return fault.Failedf(err, "%s", file)
		}
		return store.ReplaceObject(store.ProcessContext(), file, was, data)
	}
	return read, write
}

// ownNames holds that no segment has the name of one that was renamed.
func ownNames(segments []model.Segment, renamed []bool) error {
	for i := range segments {
		if !renamed[i] {
			continue
		}
		for j := range segments {
			if i != j && strings.EqualFold(segments[i].Name, segments[j].Name) {
				return fault.Usagef("the name %q would be that of segments %d and %d", segments[i].Name, min(i, j), max(i, j)).
					Do("give each its own name")
			}
		}
	}
	return nil
}

// findSegment is the index of a segment: digits are an index, anything else is an id.
func findSegment(m *model.Model, text, file string) (int, error) {
	if i, err := strconv.Atoi(text); err == nil && i >= 0 && i < m.K {
		return i, nil
	}
	ids := make([]string, m.K)
	for i := range m.Segments {
		if ids[i] = m.Segments[i].ID; ids[i] == text {
			return i, nil
		}
	}
	err := fault.Inputf(fault.In(file), "there is no segment %q", text)
	if near := fault.Nearest(text, ids); near != "" {
		return 0, err.Do("did you mean %q? numbers go from 0 to %d", near, m.K-1)
	}
	return 0, err.Do("%s", segmentsThere(m))
}

// segmentsThere says by what a model's segments can be told.
func segmentsThere(m *model.Model) string {
	if m.K == 1 {
		return fmt.Sprintf("the only one is 0, with the id %s", m.Segments[0].ID)
	}
	return fmt.Sprintf("there are 0 to %d, with the ids %s to %s", m.K-1, m.Segments[0].ID, m.Segments[m.K-1].ID)
}
