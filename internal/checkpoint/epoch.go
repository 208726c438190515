package checkpoint

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/internal/store"
)

const epochPrefix = "epoch."

// epochs are the numbers of the files epoch.N.
func (f *folderHome) epochs() ([]uint64, error) {
	return epochsIn(f, f.folder)
}

func epochsIn(at home, folder string) ([]uint64, error) {
	list, err := at.list(folder)
	if err != nil {
		return nil, problem(folder, err, "cannot be read")
	}
	var numbers []uint64
	for _, i := range list {
		digits, ok := strings.CutPrefix(i.name, epochPrefix)
		if n, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && digits == strconv.FormatUint(n, 10) && !i.folder {
			numbers = append(numbers, n)
		}
	}
	return numbers, nil
}

func (f *folderHome) epochFile(n uint64) string {
	return filepath.Join(f.folder, epochPrefix+strconv.FormatUint(n, 10))
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
	return s.home.nextEpoch()
}

// newestEpoch is the last of the epochs known; that there is none is an error.
func newestEpoch(folder string, known []uint64, last uint64) (uint64, error) {
	if len(known) == 0 {
		return 0, problem(folder, ErrInvalid, "the file with the epoch (epoch.N) is gone").
			Do("make an empty file epoch.N there, with N above every epoch that workers have seen")
	}
	newest := slices.Max(known)
	if newest >= last {
		return 0, problem(folder, ErrInvalid, "there is no epoch after %s%d", epochPrefix, newest).Do("remove the file if it was not meant")
	}
	return newest, nil
}

func (f *folderHome) nextEpoch() (uint64, error) {
	known, err := f.epochs()
	if err != nil {
		return 0, err
	}
	newest, err := newestEpoch(f.folder, known, math.MaxUint64)
	if err != nil {
		return 0, err
	}
	if err := f.beginEpoch(newest + 1); err != nil {
		return 0, err
	}
	for _, n := range known { // what stays is below, and removed next time
		f.on.remove(f.epochFile(n))
	}
	return newest + 1, nil
}

// beginEpoch makes the file of an epoch. It has no content, so that nothing of it can be torn or flipped, and it must
// be new, so that of two coordinators only one gets the number.
func (f *folderHome) beginEpoch(n uint64) error {
	path := f.epochFile(n)
	err := fill(f.on, path)
	if err == nil {
		err = f.on.syncFolder(f.folder)
	}
	if os.IsExist(err) {
		err = problem(path, ErrConflict, "was begun by another").Do("stop one of the two %ss on this folder", f.owner.name)
	}
	return store.Explain(path, err)
}
