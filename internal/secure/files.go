package secure

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
)

// fileLimit bounds what is read of a certificate, a key or a CA, in bytes: a bundle of several hundred CAs has less,
// and what is larger was named by mistake.
const fileLimit = 1 << 20

// Files name a certificate, its key and the CA that its peers are signed by, all PEM. All three are empty: no TLS.
type Files struct {
	Cert string // the certificate, followed by intermediate ones if there are any
	Key  string // its private key, not encrypted
	CA   string // one CA or several: while one is replaced, the old and the new
}

// names are the flag and the file of each of the three.
func (f Files) names() [3][2]string {
	return [3][2]string{{"--tls-cert", f.Cert}, {"--tls-key", f.Key}, {"--tls-ca", f.CA}}
}

// given says whether the files are named; it is an error if only some are.
func (f Files) given() (bool, error) {
	var missing, there []string
	for _, n := range f.names() {
		if n[1] == "" {
			missing = append(missing, n[0])
		} else {
			there = append(there, n[0])
		}
	}
	if len(there) > 0 && len(missing) > 0 {
		return false, fault.Usagef("%s without %s", strings.Join(there, " and "), strings.Join(missing, " and ")).
			Do("give --tls-cert, --tls-key and --tls-ca, or none of them")
	}
	return len(there) > 0, nil
}

// stamp is what tells a file from the one that was there before; nil where there is none.
type stamp [3]os.FileInfo

// stamp looks at the files without reading them.
func (f Files) stamp() stamp {
	var s stamp
	for i, n := range f.names() {
		if info, err := os.Stat(n[1]); err == nil {
			s[i] = info
		}
	}
	return s
}

// equal says whether the files are the same ones, unchanged. A file that was replaced by renaming is another one
// even where its size and its time are the same.
func (s stamp) equal(t stamp) bool {
	for i := range s {
		a, b := s[i], t[i]
		switch {
		case a == nil && b == nil:
		case a == nil || b == nil || !os.SameFile(a, b) || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()):
			return false
		}
	}
	return true
}

// read gives the contents of the three files.
func (f Files) read() (contents [3][]byte, err error) {
	for i, n := range f.names() {
		if contents[i], err = readFile(n[1]); err != nil {
			var known *fault.Error
			if errors.As(err, &known) && known.Remedy == "" {
				return contents, known.Do("check the path given with %s", n[0])
			}
			return contents, err
		}
	}
	return contents, nil
}

// readFile reads a small regular file. A pipe would hold up whoever waits for the handshake.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, wrong(path, "is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, fileLimit+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(data) > fileLimit {
		return nil, wrong(path, "has more than %d bytes, which no certificate or key has", fileLimit)
	}
	return data, nil
}

// unreadable is an error of the operating system around path.
func unreadable(path string, err error) *fault.Error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	e := wrong(path, "cannot be read")
	e.Err = err
	return e
}

// wrong is an error about the file at path.
func wrong(path, format string, args ...any) *fault.Error {
	e := fault.Failedf(nil, format, args...)
	e.Place = fault.In(path)
	return e
}
