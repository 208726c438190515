package checkpoint

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/internal/store"
)

const epochPrefix = "epoch."

// epochs are the numbers of the files epoch.N.
func (s *Store) epochs() ([]uint64, error) {
	list, err := os.ReadDir(s.folder)
	if err != nil {
		return nil, problem(s.folder, bare(err), "cannot be read")
	}
	var numbers []uint64
	for _, f := range list {
		digits, ok := strings.CutPrefix(f.Name(), epochPrefix)
		if n, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && digits == strconv.FormatUint(n, 10) {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

func (s *Store) epochFile(n uint64) string {
	return filepath.Join(s.folder, epochPrefix+strconv.FormatUint(n, 10))
}

// NextEpoch is the number of this start: one more than the last, on the disk before it is returned. It is never
// returned twice, whatever happens between; after an error a number may be left out.
func (s *Store) NextEpoch() (uint64, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	s.epochGuard.Lock()
	defer s.epochGuard.Unlock()
	known, err := s.epochs()
	if err != nil {
		return 0, err
	}
	if len(known) == 0 {
		return 0, problem(s.folder, ErrInvalid, "the file with the epoch (epoch.N) is gone").
			Do("make an empty file epoch.N there, with N above every epoch that workers have seen")
	}
	newest := uint64(0)
	for _, n := range known {
		newest = max(newest, n)
	}
	if newest == math.MaxUint64 {
		return 0, problem(s.epochFile(newest), ErrInvalid, "there is no epoch after this one").Do("remove the file if it was not meant")
	}
	if err := s.beginEpoch(newest + 1); err != nil {
		return 0, err
	}
	for _, n := range known { // what stays is below, and removed next time
		s.on.remove(s.epochFile(n))
	}
	return newest + 1, nil
}

// beginEpoch makes the file of an epoch. It has no content, so that nothing of it can be torn or flipped, and it must
// be new, so that of two coordinators only one gets the number.
func (s *Store) beginEpoch(n uint64) error {
	path := s.epochFile(n)
	err := fill(s.on, path)
	if err == nil {
		err = s.on.syncFolder(s.folder)
	}
	if os.IsExist(err) {
		err = problem(path, ErrConflict, "was begun by another").Do("stop one of the two coordinators on this folder")
	}
	return store.Explain(path, err)
}
