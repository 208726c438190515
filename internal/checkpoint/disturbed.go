package checkpoint

import "errors"

// ErrTorn asks a disturbed write to be done by half.
var ErrTorn = errors.New("half of it was written")

// disturbed are the operating system's files for simulations: before each change the simulator says whether it fails. What is
// synced is not: nothing here outlives the process that simulates.
type disturbed struct {
	disk
	before func(operation, path string) error
}

func (d disturbed) mkdir(path string) error {
	if err := d.before("mkdir", path); err != nil {
		return err
	}
	return d.disk.mkdir(path)
}

func (d disturbed) rename(from, to string) error {
	if err := d.before("rename", to); err != nil {
		return err
	}
	return d.disk.rename(from, to)
}

func (d disturbed) remove(path string) error {
	if err := d.before("remove", path); err != nil {
		return err
	}
	return d.disk.remove(path)
}

func (d disturbed) syncFolder(path string) error { return d.before("sync of a folder", path) }

func (d disturbed) create(path string) (file, error) {
	if err := d.before("create", path); err != nil {
		return nil, err
	}
	f, err := d.disk.create(path)
	if err != nil {
		return nil, err
	}
	return &disturbedFile{file: f, path: path, before: d.before}, nil
}

type disturbedFile struct {
	file
	path   string
	before func(operation, path string) error
}

func (f *disturbedFile) Write(b []byte) (int, error) {
	err := f.before("write", f.path)
	if err == nil {
		return f.file.Write(b)
	}
	n := 0
	if errors.Is(err, ErrTorn) {
		n, _ = f.file.Write(b[:len(b)/2])
	}
	return n, err
}

func (f *disturbedFile) Sync() error { return f.before("sync", f.path) }

func (f *disturbedFile) Close() error {
	return errors.Join(f.before("close", f.path), f.file.Close()) // the descriptor goes back in any case
}
