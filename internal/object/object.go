package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/coterie-project/coterie/internal/fault"
)

// Scheme is how the name of an object begins.
const Scheme = "s3://"

// What the errors of a Store wrap; each is a *fault.Error that names the object and the next step.
var (
	ErrNotFound = errors.New("there is no such object")
	ErrChanged  = errors.New("it is not the object that it was") // a read by ETag, or a condition of a write, did not hold
	ErrDenied   = errors.New("access is denied")
	ErrIdentity = fmt.Errorf("%w to everything", ErrDenied)                         // the credentials are not valid, or the clock
	ErrAway     = errors.New("the object store cannot be reached or keeps failing") // after all tries
)

// Name is where an object lies. In a List, Key may be a prefix.
type Name struct{ Bucket, Key string }

// Is says whether a path names objects rather than files.
func Is(path string) bool { return strings.HasPrefix(path, Scheme) }

// maxKey is the longest key that S3 takes, in bytes.
const maxKey = 1024

// Parse takes a path apart: s3://bucket/key. The key may be empty, or end in a slash, where a prefix is meant.
func Parse(path string) (Name, error) {
	rest, ok := strings.CutPrefix(path, Scheme)
	bucket, key, _ := strings.Cut(rest, "/")
	switch {
	case !ok:
		return Name{}, fault.Usagef("%q does not name an object", path).Do("write %sBUCKET/KEY", Scheme)
	case !bucketName(bucket):
		return Name{}, fault.Usagef("%q: %q is not the name of a bucket: 3 to 63 of a-z, 0-9, . and -", path, bucket).Do("write %sBUCKET/KEY", Scheme)
	case len(key) > maxKey:
		return Name{}, fault.Usagef("%s…: the key has %d bytes; object stores take %d", path[:40], len(key), maxKey)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return Name{}, fault.Usagef("%q: the key is not plain UTF-8 text", path)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "." || part == ".." {
			return Name{}, fault.Usagef("%q: a key has no %q in it: nothing would ever match", path, part).Do("name the object as the bucket lists it")
		}
	}
	return Name{bucket, key}, nil
}

func bucketName(s string) bool {
	if len(s) < 3 || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && (c != '-' && c != '.' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return true
}

func (n Name) String() string { return Scheme + n.Bucket + "/" + n.Key }

// Info is what a store says of an object.
type Info struct {
	Name     Name
	Size     int64  // bytes
	ETag     string // as the service writes it, with its quotes
	Modified time.Time
}

// Entry is one line of a listing: an object, or (Folder) all that begin with a prefix that ends in a slash.
type Entry struct {
	Info
	Folder bool // Name.Key is the prefix; the rest is zero
}

// Condition is what must hold for a write. The zero value: nothing.
type Condition struct {
	IfMatch  string // the object stands with this ETag
	IfAbsent bool   // no object stands there
}

// Store is an S3-compatible service. All methods are safe for concurrent use, and end with their context.
type Store interface {
	// Stat looks an object up.
	Stat(ctx context.Context, n Name) (Info, error)
	// ReadAt fills p from the offset of the object that info is of. It is ErrChanged where another object stands there
	// by now, and io.ErrUnexpectedEOF where p reaches beyond the object's end.
	ReadAt(ctx context.Context, info Info, p []byte, offset int64) error
	// Open streams length bytes from the offset of the object that info is of. A connection that breaks is taken up where
	// it broke.
	Open(ctx context.Context, info Info, offset, length int64) (io.ReadCloser, error)
	// List walks what begins with n.Key in the order of its bytes, after the key after (""; all). Where folders is set,
	// what has a slash behind the prefix is one Entry for each name up to it. It holds one page at a time.
	List(ctx context.Context, n Name, after string, folders bool) iter.Seq2[Entry, error]
	// Put writes a whole object of at most PutBytes.
	Put(ctx context.Context, n Name, body []byte, c Condition) (Info, error)
	// Create begins an object of any size. Nothing is visible before its Commit.
	Create(ctx context.Context, n Name) (Upload, error)
	// Remove removes an object; there being none is no error.
	Remove(ctx context.Context, n Name) error
}

// PutBytes bounds a Put: larger objects are made by Create.
const PutBytes = 64 << 20

// Upload is an object on its way. Write to it, then Commit or Abort. It is not safe for concurrent use.
type Upload interface {
	io.Writer
	// Commit lets the object appear, if the condition holds.
	Commit(c Condition) (Info, error)
	// Abort gives up; after Commit it does nothing. What was sent is removed.
	Abort()
}
