package object

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/coterie-project/coterie/internal/fault"
)

// What a service may answer. It is mostly one that is trusted with the data, but behind --s3-endpoint there may be anything.
const (
	// answerBytes bounds an answer other than a piece of an object: a page of pageKeys names of maxKey bytes, each byte of
	// which may be spelled in six, has some 6 MiB.
	answerBytes = 8 << 20
	// refusalBytes is more than the text of any refusal has.
	refusalBytes = 16 << 10
	// etagBytes is more than any ETag has: those of S3 have 34 bytes, and some services add a version.
	etagBytes = 1 << 10
	// emptyPages is how many pages without a name may follow each other: what was removed may leave some.
	emptyPages = 1000
)

// errLong is an answer of more bytes than a listener takes.
var errLong = errors.New("an answer of the service is too long")

// listener is the client of an SDK whose answers are bounded to most bytes.
type listener struct {
	inner s3.HTTPClient
	most  int64
}

// Do is the call of the SDK. The bodies of ranges are left alone: they go to buffers of their own, as far as those reach.
func (l listener) Do(r *http.Request) (*http.Response, error) {
	answer, err := l.inner.Do(r)
	if err == nil && answer.Body != nil {
		namesRegion(answer)
	}
	if err != nil || answer.Body == nil || r.Header.Get("Range") != "" && answer.StatusCode < http.StatusMultipleChoices {
		return answer, err
	}
	answer.Body = &bounded{ReadCloser: answer.Body, left: l.most}
	return answer, nil
}

// regionHeader is where answers that send elsewhere name the region of the bucket. The SDK reads no other place.
const regionHeader = "X-Amz-Bucket-Region"

var regionElement = regexp.MustCompile(`<Region>([a-z0-9-]{1,40})</Region>`)

// namesRegion puts into that header what a refusal tells in its body alone.
func namesRegion(answer *http.Response) {
	switch answer.StatusCode {
	case http.StatusBadRequest, http.StatusMovedPermanently, http.StatusTemporaryRedirect:
	default:
		return
	}
	if answer.Header.Get(regionHeader) != "" {
		return
	}
	start, _ := io.ReadAll(io.LimitReader(answer.Body, refusalBytes)) // an error comes again to who reads on
	if found := regionElement.FindSubmatch(start); found != nil {
		answer.Header.Set(regionHeader, string(found[1]))
	}
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), answer.Body), answer.Body}
}

// bounded is a body that fails with errLong once left bytes of it are read and there are more, and from then on: a decoder
// may ask again.
type bounded struct {
	io.ReadCloser
	left int64
	long bool
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.long {
		return 0, errLong
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if int64(n) > b.left {
		n, err, b.long = int(b.left), errLong, true
	}
	b.left -= int64(n)
	return n, err
}

// infoOfHead is what an answer without a body says of an object. One that leaves the length out must not make it empty.
func infoOfHead(n Name, out *s3.HeadObjectOutput) (Info, error) {
	info := Info{Name: n, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified)}
	switch {
	case out.ContentLength == nil || info.Size < 0:
		return Info{}, strange(n, "does not say how long it is")
	case len(info.ETag) > etagBytes:
		return Info{}, strange(n, fmt.Sprintf("has an ETag of %d bytes, more than %d", len(info.ETag), etagBytes))
	}
	return info, nil
}

// ofRange says whether a Content-Range is that of the range that was asked for. Some services leave it out; a cache in front of one
// that gives another piece of the same length must not be believed.
func ofRange(header string, offset, length int64) bool {
	said, ok := strings.CutPrefix(header, "bytes ")
	if !ok {
		return header == ""
	}
	said, _, _ = strings.Cut(said, "/")
	return said == fmt.Sprintf("%d-%d", offset, offset+length-1)
}

// listing holds what a service lists to what was asked for, page after page: who walks a listing cuts its prefix from
// the keys, and relies on their order.
type listing struct {
	of    Name // what was asked for
	last  string
	empty int // pages without a name, since the last one with some
}

// check is nil for the entry that may come next.
func (l *listing) check(e *Entry) error {
	key := e.Name.Key
	switch {
	case !strings.HasPrefix(key, l.of.Key):
		return strange(l.of, fmt.Sprintf("is listed with the key %.40q, which does not begin like that", key))
	case len(key) > maxKey || len(e.ETag) > etagBytes:
		return strange(l.of, fmt.Sprintf("is listed with a key of %d bytes and an ETag of %d", len(key), len(e.ETag)))
	case e.Size < 0:
		return strange(l.of, fmt.Sprintf("is listed with the key %.40q of %d bytes", key, e.Size))
	case key <= l.last && l.last != "":
		return strange(l.of, fmt.Sprintf("is listed with the key %.40q after %.40q: listings must be in order", key, l.last))
	}
	l.last = key
	return nil
}

// next is the token of the page after one of so many names; "" after the last one.
func (l *listing) next(page *s3.ListObjectsV2Output, before *string, names int) (string, error) {
	token := aws.ToString(page.NextContinuationToken)
	if !aws.ToBool(page.IsTruncated) || token == "" {
		return "", nil
	}
	if l.empty++; names > 0 {
		l.empty = 0
	}
	if l.empty > emptyPages || before != nil && token == *before {
		return "", strange(l.of, "is listed without an end: the service gives the same page again and again, or empty ones")
	}
	return token, nil
}

// strange is the error of an answer that no service should give.
func strange(n Name, problem string) error {
	return Failure(fault.Input, n, nil, problem, "look at the service behind --s3-endpoint")
}
