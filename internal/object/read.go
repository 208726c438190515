package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/coterie-project/coterie/internal/fault"
)

// pageKeys is how many names a page of a listing has: the most that the service gives.
const pageKeys = 1000

// Stat implements Store.
func (s *service) Stat(ctx context.Context, n Name) (Info, error) {
	var out *s3.HeadObjectOutput
	err := s.brief(ctx, "HeadObject", n, fault.Input, func(ctx context.Context) (err error) {
		out, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &n.Bucket, Key: &n.Key, RequestPayer: s.payer})
		return err
	})
	if err != nil {
		return Info{}, s.missing(ctx, n, err)
	}
	return infoOfHead(n, out)
}

// missing says more about an object that could not be looked up: the answer to such a question has no body to tell a bucket
// that does not exist from an object, or wrong credentials and regions from rights. That to a listing has.
func (s *service) missing(ctx context.Context, n Name, err error) error {
	if errors.Is(err, ErrAway) || ctx.Err() != nil {
		return err
	}
	barred := false
	listed := s.brief(ctx, "ListObjectsV2", n, fault.Input, func(ctx context.Context) error {
		_, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &n.Bucket, Prefix: &n.Key, MaxKeys: aws.Int32(1), RequestPayer: s.payer})
		if barred = code(err) == "AccessDenied"; barred {
			return nil // who may not list may still be told the truth about an object
		}
		return err
	})
	switch {
	case listed != nil && !errors.Is(listed, ErrAway):
		return listed
	case barred && errors.Is(err, ErrDenied):
		return deniedUnseen(n)
	}
	return err
}

// bucket looks whether the bucket is there.
func (s *service) bucket(ctx context.Context, n Name, kind fault.Kind) error {
	return s.brief(ctx, "HeadBucket", n, kind, func(ctx context.Context) error {
		_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &n.Bucket})
		if status(err) == http.StatusNotFound {
			return Failure(kind, n, ErrNotFound, "the bucket "+Scheme+n.Bucket+" does not exist", "check its name, --s3-endpoint and --s3-region")
		}
		return err
	})
}

// ReadAt implements Store.
func (s *service) ReadAt(ctx context.Context, info Info, p []byte, offset int64) error {
	if err := inside(info, offset, int64(len(p))); err != nil || len(p) == 0 {
		return err
	}
	return s.try(ctx, "GetObject", info.Name, fault.Input, func(ctx context.Context) error {
		body, err := s.get(ctx, info, offset, int64(len(p)))
		if err != nil {
			return err
		}
		defer body.Close()
		n, err := io.ReadFull(body, p)
		p, offset = p[n:], offset+int64(n) // the next try goes on here
		return err
	})
}

// inside refuses a range that reaches beyond the object.
func inside(info Info, offset, length int64) error {
	if offset < 0 || length < 0 || offset > info.Size-length {
		return Failure(fault.Input, info.Name, io.ErrUnexpectedEOF, fmt.Sprintf("ends at byte %d, and byte %d is asked for", info.Size, offset+length),
			"is the upload complete?")
	}
	return nil
}

// get begins one answer with a range, and makes sure that it is the range and the object that were asked for.
func (s *service) get(ctx context.Context, info Info, offset, length int64) (*watched, error) {
	ctx, cancel := context.WithCancel(ctx)
	in := &s3.GetObjectInput{Bucket: &info.Name.Bucket, Key: &info.Name.Key, RequestPayer: s.payer,
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))}
	if info.ETag != "" {
		in.IfMatch = &info.ETag
	}
	out, err := s.client.GetObject(ctx, in)
	if err != nil {
		cancel()
		return nil, replaced(info.Name, err)
	}
	switch got := aws.ToString(out.ETag); {
	case info.ETag != "" && got != "" && got != info.ETag:
		err = changed(info.Name)
	case aws.ToInt64(out.ContentLength) != length:
		err = Failure(fault.Input, info.Name, nil, fmt.Sprintf("the service sends %d bytes where %d were asked for", aws.ToInt64(out.ContentLength), length),
			"it must be able to read ranges")
	case !ofRange(aws.ToString(out.ContentRange), offset, length):
		err = Failure(fault.Input, info.Name, nil, fmt.Sprintf("the service sends %.60s where bytes %d to %d were asked for", aws.ToString(out.ContentRange), offset, offset+length-1),
			"it must be able to read ranges; look at what stands between it and this machine")
	}
	if err != nil {
		cancel()
		out.Body.Close()
		return nil, err
	}
	return &watched{body: out.Body, cancel: cancel, silence: s.limits.silence}, nil
}

// replaced explains the answers of an object that was pinned, and has been replaced or removed since.
func replaced(n Name, err error) error {
	if code(err) == "NoSuchBucket" {
		return err
	}
	switch status(err) {
	case http.StatusPreconditionFailed:
		return changed(n)
	case http.StatusNotFound:
		return Failure(fault.Input, n, ErrChanged, "is gone: it was there when it was opened", "put it back and leave it alone until the run has ended, then start again")
	}
	return err
}

func changed(n Name) error {
	return Failure(fault.Input, n, ErrChanged, "has changed since it was opened", "leave the object alone until the run has ended, then start again")
}

// watched is the body of an answer, which is given up when nothing comes for a while.
type watched struct {
	body    io.ReadCloser
	cancel  context.CancelFunc
	silence time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	silent := time.AfterFunc(w.silence, w.cancel)
	n, err := w.body.Read(p)
	counted.read.Add(int64(n))
	if !silent.Stop() && err != nil && !errors.Is(err, io.EOF) {
		err = errSilent
	}
	return n, err
}

func (w *watched) Close() error {
	w.cancel()
	return w.body.Close()
}

// Open implements Store.
func (s *service) Open(ctx context.Context, info Info, offset, length int64) (io.ReadCloser, error) {
	if err := inside(info, offset, length); err != nil {
		return nil, err
	}
	return &stream{s: s, ctx: ctx, info: info, at: offset, end: offset + length}, nil
}

// stream reads a range by as many answers as it takes.
type stream struct {
	s        *service
	ctx      context.Context
	info     Info
	at, end  int64
	body     *watched // nil: to be asked for
	failures int      // since the last byte
}

func (r *stream) Read(p []byte) (int, error) {
	for r.at < r.end {
		if len(p) == 0 {
			return 0, nil
		}
		if err := r.begin(); err != nil {
			return 0, err
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.at)])
		r.at += int64(n)
		if n > 0 {
			r.failures = 0
			return n, nil
		}
		if err != nil {
			if err := r.broken(err); err != nil {
				return 0, err
			}
		}
	}
	return 0, io.EOF
}

// begin asks for what is left, where no answer is under way.
func (r *stream) begin() error {
	if r.body != nil {
		return nil
	}
	return r.s.try(r.ctx, "GetObject", r.info.Name, fault.Input, func(ctx context.Context) (err error) {
		r.body, err = r.s.get(ctx, r.info, r.at, r.end-r.at)
		return err
	})
}

// broken gives the answer up, and waits before the next one.
func (r *stream) broken(err error) error {
	r.body.Close()
	r.body = nil
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	if r.failures++; r.failures >= r.s.limits.tries {
		return away(r.info.Name, err, r.failures)
	}
	return r.s.rest(r.ctx, r.failures)
}

func (r *stream) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body = nil
	return body.Close()
}

// List implements Store.
func (s *service) List(ctx context.Context, n Name, after string, folders bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		in := &s3.ListObjectsV2Input{Bucket: &n.Bucket, Prefix: &n.Key, MaxKeys: aws.Int32(pageKeys), RequestPayer: s.payer}
		if after != "" {
			in.StartAfter = &after
		}
		walk := listing{of: n, last: after}
		if folders {
			in.Delimiter = aws.String("/")
			walk.last = "" // a folder that after lies in comes before it
		}
		for {
			var page *s3.ListObjectsV2Output
			err := s.brief(ctx, "ListObjectsV2", n, fault.Input, func(ctx context.Context) (err error) {
				page, err = s.client.ListObjectsV2(ctx, in)
				return err
			})
			if err != nil {
				yield(Entry{}, err)
				return
			}
			entries := entriesOf(n.Bucket, page)
			for i := range entries {
				if err := walk.check(&entries[i]); err != nil {
					yield(Entry{}, err)
					return
				}
				if !yield(entries[i], nil) {
					return
				}
			}
			token, err := walk.next(page, in.ContinuationToken, len(entries))
			if err != nil || token == "" {
				if err != nil {
					yield(Entry{}, err)
				}
				return
			}
			in.ContinuationToken = &token
		}
	}
}

// entriesOf merges the objects and the folders of a page, which the service lists apart, by the bytes of their keys.
func entriesOf(bucket string, page *s3.ListObjectsV2Output) []Entry {
	list := make([]Entry, 0, len(page.Contents)+len(page.CommonPrefixes))
	objects, folders := page.Contents, page.CommonPrefixes
	for len(objects)+len(folders) > 0 {
		if len(folders) == 0 || len(objects) > 0 && aws.ToString(objects[0].Key) < aws.ToString(folders[0].Prefix) {
			list = append(list, Entry{Info: infoOf(bucket, &objects[0])})
			objects = objects[1:]
			continue
		}
		list = append(list, Entry{Folder: true, Info: Info{Name: Name{bucket, aws.ToString(folders[0].Prefix)}}})
		folders = folders[1:]
	}
	return list
}

func infoOf(bucket string, o *types.Object) Info {
	return Info{Name: Name{bucket, aws.ToString(o.Key)}, Size: aws.ToInt64(o.Size), ETag: aws.ToString(o.ETag), Modified: aws.ToTime(o.LastModified)}
}
