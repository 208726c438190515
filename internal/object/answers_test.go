package object

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// answers is a service of which every answer is given, one after the other and then from the first on again.
type answers struct {
	list []http.Response
	body [][]byte
	n    int
}

func (a *answers) add(status int, headers string, body []byte) {
	head, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(headers + "\r\n\r\n"))).ReadMIMEHeader()
	if head == nil {
		head = textproto.MIMEHeader{}
	}
	a.list = append(a.list, http.Response{StatusCode: status, Header: http.Header(head), ProtoMajor: 1, ProtoMinor: 1})
	a.body = append(a.body, body)
}

func (a *answers) Do(r *http.Request) (*http.Response, error) {
	i := a.n % len(a.list)
	a.n++
	answer := a.list[i]
	answer.Header, answer.Request = answer.Header.Clone(), r
	answer.ContentLength = int64(len(a.body[i]))
	answer.Body = io.NopCloser(bytes.NewReader(a.body[i]))
	return &answer, nil
}

// answering is a service with those answers, which tries everything once.
func answering(t testing.TB, a *answers) *service {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	l := hasty
	l.tries, l.pause, l.longest = 1, time.Nanosecond, time.Nanosecond
	s, err := newService(t.Context(), Options{Endpoint: "http://127.0.0.1:1", PathStyle: true}, l)
	if err != nil {
		t.Fatal(err)
	}
	s.give(a, answerBytes)
	return s
}

// give lets the service be answered by a, of whose answers most bytes are taken.
func (s *service) give(a *answers, most int64) {
	o := s.client.Options()
	o.HTTPClient = listener{a, most}
	s.client = s3.New(o)
}

// page is a page of a listing with what is in it.
func page(content string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + content + `</ListBucketResult>`)
}

func listed(key string) string {
	return "<Contents><Key>" + key + "</Key><Size>3</Size><ETag>&quot;e&quot;</ETag></Contents>"
}

const andSoOn = "<IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>"

func TestListingsThatMakeNoSenseAreRefused(t *testing.T) {
	again := fmt.Sprintf(andSoOn, "t")
	for _, c := range []struct {
		name  string
		pages []string
		want  string // of the error; "" for none
		keys  int
	}{
		{"in order", []string{listed("d/a") + fmt.Sprintf(andSoOn, "1"), listed("d/b")}, "", 2},
		{"a key that is not below the prefix", []string{listed("d/a") + listed("e")}, `the key "e", which does not begin like that`, 1},
		{"a key that is shorter than the prefix", []string{listed("d")}, "does not begin like that", 0},
		{"out of order", []string{listed("d/b") + listed("d/a")}, "must be in order", 1},
		{"twice the same", []string{listed("d/b") + listed("d/b")}, "must be in order", 1},
		{"out of order over pages", []string{listed("d/b") + fmt.Sprintf(andSoOn, "1"), listed("d/a")}, "must be in order", 1},
		{"a size below nothing", []string{"<Contents><Key>d/a</Key><Size>-1</Size></Contents>"}, "of -1 bytes", 0},
		{"a key that is too long", []string{listed("d/" + strings.Repeat("x", maxKey))}, "a key of 1026 bytes", 0},
		{"an ETag that is too long", []string{"<Contents><Key>d/a</Key><ETag>" + strings.Repeat("x", etagBytes+1) + "</ETag></Contents>"}, "an ETag of 1025", 0},
		{"the same page again", []string{again, again}, "without an end", 0},
		{"empty pages without an end", []string{fmt.Sprintf(andSoOn, "1"), fmt.Sprintf(andSoOn, "2")}, "without an end", 0},
	} {
		a := new(answers)
		for _, p := range c.pages {
			a.add(http.StatusOK, "", page(p))
		}
		s, keys := answering(t, a), 0
		var failed error
		for _, err := range s.List(t.Context(), named("d/"), "", false) {
			if failed = err; err == nil {
				keys++
			}
		}
		got := fmt.Sprint(failed)
		if keys != c.keys || (failed == nil) != (c.want == "") || !strings.Contains(got, c.want) || failed != nil && fault.Code(failed) != 3 {
			t.Errorf("%s: got %d keys and %q, want %d and %q", c.name, keys, got, c.keys, c.want)
		}
	}
}

func TestAnswersAreReadUpToTheirBoundAndNoFurther(t *testing.T) {
	content := page(listed("d/a"))
	a := new(answers)
	a.add(http.StatusOK, "", content)
	s := answering(t, a)
	for most, want := range map[int64]error{int64(len(content)): nil, int64(len(content)) - 1: errLong} {
		s.give(a, most)
		for _, err := range s.List(t.Context(), named("d/"), "", false) {
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%d bytes where %d are taken: got %v, want %v", len(content), most, err, want)
			}
		}
	}
	if answerBytes < pageKeys*6*maxKey {
		t.Errorf("%d bytes are less than a page of %d keys of %d bytes, each spelled in six, has", answerBytes, pageKeys, maxKey)
	}
}

func TestAnObjectWhoseLengthIsNotSaidIsNotTakenForEmpty(t *testing.T) {
	for headers, want := range map[string]string{
		"Content-Length: 0\r\nETag: \"e\"": "",
		"ETag: \"e\"":                      "does not say how long it is",
		"Content-Length: -5":               "does not say how long it is",
		"Content-Length: 5\r\nETag: " + strings.Repeat("x", etagBytes+1): "an ETag of 1025 bytes",
	} {
		a := new(answers)
		a.add(http.StatusOK, headers, nil)
		_, err := answering(t, a).Stat(t.Context(), named("a"))
		if (err == nil) != (want == "") || err != nil && (fault.Code(err) != 3 || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60q: got %v, want %q", headers, err, want)
		}
	}
}

func TestAnotherRangeOfTheSameLengthIsNotTaken(t *testing.T) {
	for said, ok := range map[string]bool{"": true, "bytes 4-7/40": true, "bytes 4-7/*": true, "bytes 5-8/40": false, "bytes 4-8/40": false, "bytes */40": false, "4-7": false, "bytes 04-7/40": false} {
		a := new(answers)
		a.add(http.StatusPartialContent, "Content-Length: 4\r\nContent-Range: "+said, []byte("four"))
		p := make([]byte, 4)
		err := answering(t, a).ReadAt(t.Context(), Info{Name: named("a"), Size: 40}, p, 4)
		if (err == nil) != ok || err != nil && (fault.Code(err) != 3 || !strings.Contains(err.Error(), "bytes 4 to 7 were asked for")) || ok && string(p) != "four" {
			t.Errorf("%q: got %q, %v, want it taken: %v", said, p, err, ok)
		}
	}
}

// FuzzAnswers holds that whatever a service answers, each call ends with what it promises or with an error that names the
// object, and that only a bounded piece of an answer is taken in.
func FuzzAnswers(f *testing.F) {
	tag := "ETag: \"e\"\r\nContent-Length: 4\r\nLast-Modified: Tue, 02 Jan 2024 03:04:05 GMT"
	f.Add(200, tag, []byte("four"), page(listed("d/a")+listed("d/b")))
	f.Add(206, tag+"\r\nContent-Range: bytes 0-3/4", []byte("fo"), page(fmt.Sprintf(andSoOn, "1")))
	f.Add(200, "", page(listed("d/b")+"<CommonPrefixes><Prefix>d/a/</Prefix></CommonPrefixes>"+fmt.Sprintf(andSoOn, "1")), page(listed("e")))
	f.Add(200, tag, []byte("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"), []byte{})
	f.Add(404, "x-amz-request-id: 1", []byte("<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>"), []byte{})
	f.Add(301, "X-Amz-Bucket-Region: eu-1", []byte("<Error><Code>PermanentRedirect</Code></Error>"), []byte{0})
	f.Add(412, "", []byte{}, []byte("<Error><Code>PreconditionFailed</Code></Error>"))
	f.Add(503, "Retry-After: 1", []byte("<Error>"), []byte("<Error><Code>SlowDown</Code></Error>"))
	s := answering(f, &answers{})
	f.Fuzz(func(t *testing.T, status int, headers string, first, second []byte) {
		// Some hundred kilobytes a call are what the SDK takes for itself; an entry of a listing is eleven bytes at the least.
		hostile.Ceiling(t, len(headers)+len(first)+len(second), 4<<20, 512, func() {
			for _, call := range calls {
				a := new(answers)
				a.add(100+int(uint(status)%500), headers, first)
				a.add(http.StatusOK, headers, second)
				s.give(a, answerBytes)
				var known *fault.Error
				if err := call.do(t, s); err != nil && (!errors.As(err, &known) || known.Place.File == "") {
					t.Fatalf("%s: got %v, want an error with its place", call.name, err)
				}
				if a.n > 8 {
					t.Fatalf("%s: asked %d times", call.name, a.n)
				}
			}
		})
	})
}

// calls are those of a Store, with what must hold of each that succeeds.
var calls = []struct {
	name string
	do   func(t *testing.T, s *service) error
}{
	{"Stat", func(t *testing.T, s *service) error {
		info, err := s.Stat(t.Context(), named("d/a"))
		if err == nil && info.Size < 0 {
			t.Fatalf("got %+v", info)
		}
		return err
	}},
	{"ReadAt", func(t *testing.T, s *service) error {
		return s.ReadAt(t.Context(), Info{Name: named("d/a"), Size: 4, ETag: `"e"`}, make([]byte, 4), 0)
	}},
	{"Open", func(t *testing.T, s *service) error {
		r, err := s.Open(t.Context(), Info{Name: named("d/a"), Size: 40, ETag: `"e"`}, 3, 4)
		if err != nil {
			return err
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err == nil && len(b) != 4 {
			t.Fatalf("got %q, want 4 bytes", b)
		}
		return err
	}},
	{"List", func(t *testing.T, s *service) error {
		last := ""
		for e, err := range s.List(t.Context(), named("d/"), "", true) {
			if err != nil {
				return err
			}
			if !strings.HasPrefix(e.Name.Key, "d/") || e.Name.Key <= last || e.Size < 0 {
				t.Fatalf("got %+v after %q", e, last)
			}
			last = e.Name.Key
		}
		return nil
	}},
	{"Put", func(t *testing.T, s *service) error {
		_, err := s.Put(t.Context(), named("d/a"), []byte("four"), Condition{IfAbsent: true})
		return err
	}},
	{"Create", func(t *testing.T, s *service) error {
		u, err := s.Create(t.Context(), named("d/a"))
		if err != nil {
			return err
		}
		defer u.Abort()
		if _, err := u.Write([]byte("four")); err != nil {
			return err
		}
		_, err = u.Commit(Condition{IfMatch: `"e"`})
		return err
	}},
	{"Remove", func(t *testing.T, s *service) error { return s.Remove(t.Context(), named("d/a")) }},
}
