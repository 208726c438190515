package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Why something at a path is not read as a file. They stand in an *fs.PathError, as the system's own reasons do.
var (
	errFolder = errors.New("it is a folder, not a file")
	errDevice = errors.New("it is a device, not a file")
	errPipe   = errors.New("it is a pipe, not a file")
)

// Input is a document that is open to be read from front to end.
type Input struct {
	io.ReadCloser
	Size int64 // bytes; less than 0 where nobody knows: a pipe
}

// OpenInput opens the document at path. Neither this nor a read takes longer than ctx: a pipe, such as the shell's <(command), may
// have nobody at its other end. Folders and devices are refused, but for the null device, which is an empty document. Errors are
// *fs.PathError, or that of ctx.
func OpenInput(ctx context.Context, path string) (*Input, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() {
		return OpenRegular(path) // whose error says "open"
	}
	if null, err := os.Stat(os.DevNull); err == nil && os.SameFile(info, null) {
		return &Input{io.NopCloser(strings.NewReader("")), 0}, nil
	}
	if info.Mode()&fs.ModeNamedPipe == 0 {
		return nil, irregular(path, info)
	}
	pipe, err := OpenStream(ctx, path)
	if err != nil {
		return nil, err
	}
	return &Input{pipe, -1}, nil
}

// OpenRegular is OpenInput where it has to be a regular file: one that is read again and again.
func OpenRegular(path string) (*Input, error) {
	// A pipe that has just been put there must not hold up the open; regular files know nothing of the flag.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = irregular(path, info)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Input{file, info.Size()}, nil
}

// irregular is the error about what is no regular file.
func irregular(path string, info fs.FileInfo) error {
	why := errDevice
	switch {
	case info.IsDir():
		why = errFolder
	case info.Mode()&fs.ModeNamedPipe != 0:
		why = errPipe
	}
	return &fs.PathError{Op: "open", Path: path, Err: why}
}

// ReadInput reads what OpenInput opens, up to a byte more than limit, which tells what is larger.
func ReadInput(ctx context.Context, path string, limit int64) ([]byte, error) {
	in, err := OpenInput(ctx, path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, limit+1))
}
