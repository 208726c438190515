package checkpoint

import (
	"errors"
	"slices"

	"github.com/coterie-project/coterie/internal/failpoint"
)

// Save makes checkpoint, with its sequence, the newest of a job; it is durable when Save returns nil, and otherwise
// the older ones are as they were. The two newest are kept; what Load found invalid does not count. The sequence of
// the newest may be used again, a lower one is refused: with ErrConflict, as is a store that is behind another.
func (s *Store) Save(id string, sequence uint64, checkpoint []byte) error {
	j, err := s.findToWrite(id, "checkpoint", len(checkpoint), s.limits.Checkpoint)
	if err != nil {
		return err
	}
	defer s.done(j)
	entries, before := slices.DeleteFunc(slices.Clone(j.entries), func(e entry) bool { return e.bad }), j.entries
	if len(entries) > 0 && entries[0].sequence > sequence {
		return problem(j.folder, ErrConflict, "checkpoint %d is not saved: checkpoint %d stands", sequence, entries[0].sequence)
	}
	if err := j.manifest.fresh(s.home); err != nil { // before gigabytes are written for nothing
		return err
	}
	h := seal(checkpointKind, sequence, checkpoint)
	e := entry{sequence: sequence, length: h.length(), sum: h.sum()}
	stood, err := s.home.exists(j.objectFile(&e))
	if err == nil {
		err = s.home.place(j.objectFile(&e), "checkpoint-write", h[:], checkpoint)
	}
	if err != nil {
		s.drop(j, &e, !stood)
		return err
	}
	failpoint.Hit("manifest-swap")
	entries = slices.DeleteFunc(entries, func(old entry) bool { return old.sequence == sequence })
	entries = append([]entry{e}, entries...)
	entries = entries[:min(len(entries), kept)]
	if err := j.manifest.swap(s.home, encodeManifest(entries)); err != nil {
		s.drop(j, &e, !stood)
		return err
	}
	j.entries, j.lost = entries, nil
	s.home.dropped(j, j.names, before)
	return nil
}

// drop gives back the space of an object whose Save failed. It stays where it was there before, or where the manifest
// was replaced and only its folder's sync failed: a manifest may name it.
func (s *Store) drop(j *job, e *entry, created bool) {
	now, err := stampOf(s.home, j.manifest.path)
	if created && err == nil && now == j.manifest.held {
		s.home.drop(j, e)
	}
}

// Load is the newest valid checkpoint of a job and its sequence; ErrNone if there is none. What was passed over on the
// way is in skipped, to be shown: "checkpoint 41 invalid, using 40".
func (s *Store) Load(id string) (checkpoint []byte, sequence uint64, skipped []error, err error) {
	j, err := s.find(id)
	if err != nil {
		return nil, 0, nil, err
	}
	defer s.done(j)
	causes := make([]error, 0, kept)
	found := -1
	for i := range j.entries {
		body, err := s.object(j, &j.entries[i])
		if errors.Is(err, errUnread) { // which says nothing about the checkpoint
			return nil, 0, nil, problem(j.objectFile(&j.entries[i]), err, "cannot be read")
		}
		if err == nil {
			found, checkpoint, sequence = i, body, j.entries[i].sequence
			break
		}
		j.entries[i].bad = true
		causes = append(causes, err)
	}
	if j.lost != nil {
		skipped = append(skipped, problem(j.manifest.path, j.lost, "manifest invalid, using what the checkpoints say of themselves"))
	}
	for i, cause := range causes {
		e := &j.entries[i]
		if found < 0 {
			skipped = append(skipped, problem(j.objectFile(e), cause, "checkpoint %d invalid", e.sequence))
			continue
		}
		skipped = append(skipped, problem(j.objectFile(e), cause, "checkpoint %d invalid, using %d", e.sequence, sequence))
	}
	if found < 0 {
		return nil, 0, skipped, problem(j.folder, ErrNone, "the job has no checkpoint that is valid")
	}
	return checkpoint, sequence, skipped, nil
}

// object reads one checkpoint and holds it against its entry.
func (s *Store) object(j *job, e *entry) ([]byte, error) {
	h, body, err := readFile(s.home, j.objectFile(e), checkpointKind, s.limits.Checkpoint)
	if err != nil {
		return nil, err
	}
	if h.number() != e.sequence || h.length() != e.length || h.sum() != e.sum {
		return nil, invalid("it is checkpoint %d of %d bytes, another one than its manifest names", h.number(), h.length())
	}
	return body, nil
}
