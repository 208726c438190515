package serve

import (
	"context"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/coterie-project/coterie/internal/object"
)

// glanceWait bounds a look at an object: the next one comes soon.
const glanceWait = 20 * time.Second

// glance looks at a file, or at an object, whose ETag then tells it from another.
func glance(file string) (os.FileInfo, error) {
	if !object.Is(file) {
		return os.Stat(file)
	}
	n, err := object.Parse(file)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), glanceWait)
	defer cancel()
	s, err := object.Default(ctx)
	if err != nil {
		return nil, err
	}
	info, err := s.Stat(ctx, n)
	if err != nil {
		return nil, err
	}
	return seenObject{info}, nil
}

// seenObject is an object as a file.
type seenObject struct{ of object.Info }

func (o seenObject) Name() string       { return path.Base(o.of.Name.Key) }
func (o seenObject) Size() int64        { return o.of.Size }
func (o seenObject) Mode() fs.FileMode  { return 0 }
func (o seenObject) ModTime() time.Time { return o.of.Modified }
func (o seenObject) IsDir() bool        { return false }
func (o seenObject) Sys() any           { return o.of.ETag }
