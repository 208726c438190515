package open

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/pinned"
)

// files is the part of the file system that data may lie in: all of it, or what lies within some roots.
type files interface {
	stat(path string) (fs.FileInfo, error) // follows links
	readDir(path string) ([]fs.DirEntry, error)
	glob(pattern string) ([]string, error)
	open(path string) (*os.File, error)
}

// everywhere is what the process itself may read.
type everywhere struct{}

func (everywhere) stat(path string) (fs.FileInfo, error)      { return os.Stat(path) }
func (everywhere) readDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }
func (everywhere) glob(pattern string) ([]string, error)      { return filepath.Glob(pattern) }
func (everywhere) open(path string) (*os.File, error)         { return pinned.OpenFile(path) }

// Files are the pins of the files and objects that data names, as Sources would read them: folders and globs in name order.
// Made data and standard input are no files. The errors are those of Sources.
func Files(ctx context.Context, data []string) ([]dataset.Pin, error) {
	find := finder{files: everywhere{}, ctx: ctx}
	items, err := find.expand(data)
	if err != nil {
		return nil, err
	}
	return find.pins(items)
}
