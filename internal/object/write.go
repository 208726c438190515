package object

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/coterie-project/coterie/internal/fault"
)

const (
	// partBytes is a part of an upload: at least 5 MiB, says the service, and at most 10,000 of them.
	partBytes = 8 << 20
	// partsPerSize is after how many parts they become twice as large, so that 10,000 of them hold the largest object.
	partsPerSize = 1000
	// partsAtOnce are sent side by side; with the one that is filled they are what an upload takes of memory.
	partsAtOnce = 3
	// abortWait bounds the farewell of an upload that is given up, also after its context has ended.
	abortWait = 10 * time.Second
	// markKey is the metadata by which a writer knows its own object where the answer to its write was lost.
	markKey = "coterie-write"
)

func (c Condition) match() *string {
	if c.IfMatch == "" {
		return nil
	}
	return &c.IfMatch
}

func (c Condition) absent() *string {
	if !c.IfAbsent {
		return nil
	}
	return aws.String("*")
}

// newMark is a word that no other write has.
func newMark() map[string]string { return map[string]string{markKey: rand.Text()} }

// Put implements Store.
func (s *service) Put(ctx context.Context, n Name, body []byte, c Condition) (Info, error) {
	if len(body) > PutBytes {
		return Info{}, Failure(fault.Failed, n, nil, fmt.Sprintf("%d bytes are too many for one request: at most %d", len(body), PutBytes), "")
	}
	mark, lost := newMark(), false
	info := Info{Name: n, Size: int64(len(body))}
	err := s.try(ctx, "PutObject", n, fault.Failed, func(ctx context.Context) error {
		out, err := s.send(ctx, body, func(ctx context.Context, body io.Reader) (string, error) {
			out, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &n.Bucket, Key: &n.Key, Body: body, Metadata: mark,
				ContentLength: &info.Size, IfMatch: c.match(), IfNoneMatch: c.absent(), RequestPayer: s.payer})
			if err != nil {
				return "", err
			}
			return aws.ToString(out.ETag), nil
		})
		info.ETag = out
		lost = lost || err != nil && unclear(err)
		return err
	})
	return s.settle(ctx, info, mark, lost, err)
}

// settle decides about a write that failed in the end, though one of its tries may have happened: the object that stands
// there says whose it is.
func (s *service) settle(ctx context.Context, info Info, mark map[string]string, lost bool, err error) (Info, error) {
	if err == nil {
		return info, nil
	}
	if !lost || ctx.Err() != nil {
		return Info{}, err
	}
	var out *s3.HeadObjectOutput
	failed := s.brief(ctx, "HeadObject", info.Name, fault.Failed, func(ctx context.Context) (err error) {
		out, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &info.Name.Bucket, Key: &info.Name.Key, RequestPayer: s.payer})
		return err
	})
	if failed != nil || out.Metadata[markKey] != mark[markKey] {
		return Info{}, err
	}
	return Info{Name: info.Name, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), Modified: aws.ToTime(out.LastModified)}, nil
}

// send gives one try a body that is given up when the service stops taking it.
func (s *service) send(ctx context.Context, body []byte, do func(ctx context.Context, body io.Reader) (string, error)) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silent := time.AfterFunc(s.limits.answer+s.limits.silence, cancel)
	defer silent.Stop()
	tag, err := do(ctx, &taken{Reader: bytes.NewReader(body), progress: func() { silent.Reset(s.limits.answer + s.limits.silence) }})
	if err == nil {
		counted.sent.Add(int64(len(body)))
	}
	return tag, err
}

// taken is a body that tells when some of it is taken.
type taken struct {
	*bytes.Reader
	progress func()
}

func (t *taken) Read(p []byte) (int, error) {
	t.progress()
	return t.Reader.Read(p)
}

// WriteTo is hidden: it would take the whole body at once.
func (t *taken) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{t}) }

// Create implements Store. That there is such a bucket is looked at before any work is done for the object.
func (s *service) Create(ctx context.Context, n Name) (Upload, error) {
	if err := s.bucket(ctx, n, fault.Failed); err != nil && !errors.Is(err, ErrDenied) { // who may write need not be allowed to look
		return nil, err
	}
	return &upload{s: s, ctx: ctx, n: n, mark: newMark()}, nil
}

// Remove implements Store.
func (s *service) Remove(ctx context.Context, n Name) error {
	return s.brief(ctx, "DeleteObject", n, fault.Failed, func(ctx context.Context) error {
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &n.Bucket, Key: &n.Key, RequestPayer: s.payer})
		if status(err) == http.StatusNotFound && code(err) != "NoSuchBucket" {
			return nil
		}
		return err
	})
}

// upload is one Put if it is small, else parts of which the service makes an object at the end.
type upload struct {
	s    *service
	ctx  context.Context
	n    Name
	mark map[string]string

	filling  []byte
	id       *string // of the parts; nil: there are none yet
	sent     int32   // parts
	size     int64
	sending  sync.WaitGroup
	seats    chan struct{}
	mu       sync.Mutex // guards parts and err
	parts    []types.CompletedPart
	err      error
	finished bool
}

var errFinished = errors.New("object: the upload has ended")

func (u *upload) failed() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

func (u *upload) fail(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
	}
}

// partSize is how large the next part becomes.
func (u *upload) partSize() int { return partBytes << (u.sent / partsPerSize) }

func (u *upload) Write(p []byte) (int, error) {
	if u.finished {
		return 0, errFinished
	}
	written := 0
	for len(p) > 0 {
		if err := u.failed(); err != nil {
			return written, err
		}
		if u.filling == nil {
			u.filling = make([]byte, 0, min(u.partSize(), max(len(p), 64<<10)))
		}
		n := min(len(p), u.partSize()-len(u.filling))
		u.filling = append(u.filling, p[:n]...)
		p, written = p[n:], written+n
		if len(u.filling) == u.partSize() {
			if err := u.part(); err != nil {
				u.fail(err)
				return written, err
			}
		}
	}
	return written, nil
}

// part sends what is filled beside the filling of the next.
func (u *upload) part() error {
	if u.id == nil {
		err := u.s.brief(u.ctx, "CreateMultipartUpload", u.n, fault.Failed, func(ctx context.Context) error {
			out, err := u.s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &u.n.Bucket, Key: &u.n.Key, Metadata: u.mark, RequestPayer: u.s.payer})
			if err == nil {
				u.id = out.UploadId
			}
			return err
		})
		if err != nil {
			return err
		}
		u.seats = make(chan struct{}, partsAtOnce)
	}
	body := u.filling
	u.sent++
	u.size += int64(len(body))
	number := u.sent
	u.filling = nil
	u.seats <- struct{}{} // parts end with the context
	u.sending.Go(func() {
		defer func() { <-u.seats }()
		if err := u.sendPart(number, body); err != nil {
			u.fail(err)
		}
	})
	return nil
}

func (u *upload) sendPart(number int32, body []byte) error {
	var tag string
	err := u.s.try(u.ctx, "UploadPart", u.n, fault.Failed, func(ctx context.Context) (err error) {
		tag, err = u.s.send(ctx, body, func(ctx context.Context, body io.Reader) (string, error) {
			out, err := u.s.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &u.n.Bucket, Key: &u.n.Key, UploadId: u.id, PartNumber: &number, Body: body, RequestPayer: u.s.payer})
			if err != nil {
				return "", err
			}
			return aws.ToString(out.ETag), nil
		})
		return err
	})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts = append(u.parts, types.CompletedPart{ETag: &tag, PartNumber: &number})
	return nil
}

func (u *upload) Commit(c Condition) (Info, error) {
	if u.finished {
		return Info{}, errFinished
	}
	if u.id == nil {
		u.finished = true
		return u.s.Put(u.ctx, u.n, u.filling, c)
	}
	if len(u.filling) > 0 {
		if err := u.part(); err != nil {
			u.fail(err)
		}
	}
	u.sending.Wait()
	if err := u.failed(); err != nil {
		u.Abort()
		return Info{}, err
	}
	info, err := u.complete(c)
	if err != nil {
		u.Abort()
	}
	u.finished = true
	return info, err
}

// complete makes the object of its parts.
func (u *upload) complete(c Condition) (Info, error) {
	slices.SortFunc(u.parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	info, lost := Info{Name: u.n, Size: u.size}, false
	err := u.s.try(u.ctx, "CompleteMultipartUpload", u.n, fault.Failed, func(ctx context.Context) error {
		out, err := u.s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &u.n.Bucket, Key: &u.n.Key, UploadId: u.id,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}, IfMatch: c.match(), IfNoneMatch: c.absent(), RequestPayer: u.s.payer})
		if err == nil {
			info.ETag = aws.ToString(out.ETag)
		}
		lost = lost || err != nil && unclear(err)
		return err
	})
	return u.s.settle(u.ctx, info, u.mark, lost, err)
}

func (u *upload) Abort() {
	if u.finished {
		return
	}
	u.finished, u.filling = true, nil
	u.fail(errFinished)
	u.sending.Wait()
	if u.id == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), abortWait)
	defer cancel()
	// Where it fails, the bucket's rule about parts that nobody completes removes them.
	_ = u.s.brief(ctx, "AbortMultipartUpload", u.n, fault.Failed, func(ctx context.Context) error {
		_, err := u.s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.n.Bucket, Key: &u.n.Key, UploadId: u.id, RequestPayer: u.s.payer})
		if status(err) == http.StatusNotFound {
			return nil
		}
		return err
	})
}
