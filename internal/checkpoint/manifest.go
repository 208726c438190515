package checkpoint

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

const (
	// kept is how many checkpoints of a job stay: the newest, and the one before it for the case that the newest is
	// damaged. A checkpoint is only one of two ways to the same bits, so that more would buy little.
	kept = 2
	// maxFound is how many objects are taken into account where the manifest is lost: those kept, and a few that
	// crashes left.
	maxFound = 16
	// entryBytes is an entry of a manifest: sequence, length, SHA-256.
	entryBytes = 8 + 8 + 32
	// maxManifest is how many bytes of a manifest are read: more than this version writes, since one of a newer version
	// shall be known as such and not be taken for damaged.
	maxManifest = 64 << 10

	objectSuffix = ".checkpoint"
)

// entry is one checkpoint of a job.
type entry struct {
	sequence uint64
	length   uint64 // of the body in bytes
	sum      digest
	bad      bool // found invalid by Load; not written down
}

func (e *entry) name() string { return hex.EncodeToString(e.sum[:]) + objectSuffix }

// isObject says whether a file in the folder of objects is called as an object is.
func isObject(name string) bool {
	digits, ok := strings.CutSuffix(name, objectSuffix)
	_, err := hex.DecodeString(digits)
	return ok && err == nil && len(digits) == 64 && digits == strings.ToLower(digits)
}

// encodeManifest is the body of a manifest: the entries, newest first.
func encodeManifest(entries []entry) []byte {
	body := make([]byte, 0, len(entries)*entryBytes)
	for i := range entries {
		body = binary.LittleEndian.AppendUint64(body, entries[i].sequence)
		body = binary.LittleEndian.AppendUint64(body, entries[i].length)
		body = append(body, entries[i].sum[:]...)
	}
	return body
}

// decodeManifest is its inverse. limit is the largest length of a checkpoint.
func decodeManifest(body []byte, limit int64) ([]entry, error) {
	if len(body)%entryBytes != 0 || len(body) > kept*entryBytes {
		return nil, invalid("a manifest of %d bytes; it has %d for each of at most %d checkpoints", len(body), entryBytes, kept)
	}
	entries := make([]entry, len(body)/entryBytes)
	for i := range entries {
		at := body[i*entryBytes:]
		e := entry{sequence: binary.LittleEndian.Uint64(at), length: binary.LittleEndian.Uint64(at[8:]), sum: digest(at[16:])}
		switch {
		case e.length > uint64(limit):
			return nil, invalid("checkpoint %d is said to have %d bytes, more than the %d that are allowed", e.sequence, e.length, limit)
		case i > 0 && e.sequence >= entries[i-1].sequence:
			return nil, invalid("checkpoint %d stands behind checkpoint %d", e.sequence, entries[i-1].sequence)
		}
		entries[i] = e
	}
	return entries, nil
}

// gather makes the entries of a job whose manifest is lost from the headers of its objects, newest first. What is
// not an object by its header is passed over; bodies are left to Load.
func gather(at home, folder string, limit int64) ([]entry, error) {
	list, err := at.list(folder)
	if err != nil {
		return nil, err
	}
	var found []entry
	for _, i := range list {
		h, err := readHeader(at, at.at(folder, i.name), checkpointKind, limit)
		if errors.Is(err, errUnread) {
			return nil, err
		}
		e := entry{sequence: h.number(), length: h.length(), sum: h.sum()}
		if err == nil && i.name == e.name() {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, newestFirst)
	return found[:min(len(found), maxFound)], nil
}

// newestFirst orders by sequence, and two objects of one sequence by name, so that the order is always the same.
func newestFirst(a, b entry) int {
	switch {
	case a.sequence > b.sequence:
		return -1
	case a.sequence < b.sequence:
		return 1
	}
	return strings.Compare(a.name(), b.name())
}
