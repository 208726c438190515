package open

import (
	"io/fs"
	"os"
	"path/filepath"
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
func (everywhere) open(path string) (*os.File, error)         { return os.Open(path) }
