package checkpoint

import (
	"io"

	"github.com/coterie-project/coterie/internal/object"
)

// Disk is the changes that a store makes to a disk, for whoever puts one in its place that fails: the simulation. Each
// is as the system call of its name; Mkdir and Create fail where the path exists.
type Disk interface {
	Mkdir(path string) error
	Create(path string) (DiskFile, error)
	Rename(from, to string) error
	Remove(path string) error
	SyncFolder(path string) error
}

// DiskFile is a new file on a Disk.
type DiskFile interface {
	io.WriteCloser
	Sync() error
}

// OpenSimulated is Open with a disk (of a folder) or an object store (of a prefix) in place of the machine's. What is
// read of a folder is read from the operating system: a simulated disk lets its changes come to pass there. One call is
// made at a time, so that a seed gives the same order of them each time. Errors are those of Open.
func OpenSimulated(folder string, l Limits, d Disk, o object.Store) (*Store, error) {
	options := Options{Limits: l, in: o, looks: 1}
	if d != nil {
		options.on = diskFiles{d}
	}
	return Open(folder, options)
}

// diskFiles are the files of a Disk.
type diskFiles struct{ Disk }

func (d diskFiles) mkdir(path string) error          { return d.Mkdir(path) }
func (d diskFiles) rename(from, to string) error     { return d.Rename(from, to) }
func (d diskFiles) remove(path string) error         { return d.Remove(path) }
func (d diskFiles) syncFolder(path string) error     { return d.SyncFolder(path) }
func (d diskFiles) create(path string) (file, error) { return d.Create(path) }

// LookWhetherOvertaken looks once for what Overtaken waits for: ErrConflict if another coordinator has taken this state
// over. An error that says nothing about another coordinator is nil.
func (s *Store) LookWhetherOvertaken() error {
	o, shared := s.home.(*objectHome)
	if !shared {
		return nil
	}
	_ = o.current()
	select {
	case <-o.lost:
		return o.reason
	default:
		return nil
	}
}
