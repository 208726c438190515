package open

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/internal/object"
)

// ranges serves one body under every name, as S3 does, after a pause that stands for the journey.
func ranges(b *testing.B, body string, pause time.Duration) string {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(pause)
		w.Header().Set("ETag", `"e"`)
		http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), strings.NewReader(body))
	}))
	b.Cleanup(server.Close)
	return server.URL
}

// plainly reads all by ranges of 4 MiB, eight at a time, and does nothing with them.
func plainly(b *testing.B, url string, size int64) {
	b.Helper()
	const piece = 4 << 20
	offsets := make(chan int64)
	var wait sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	for range 8 {
		wait.Go(func() {
			buf := make([]byte, piece)
			for at := range offsets {
				request, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/bucket/x", nil)
				request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", at, min(at+piece, size)-1))
				answer, err := client.Do(request)
				if err != nil {
					b.Error(err)
					continue
				}
				_, err = io.ReadFull(answer.Body, buf[:min(piece, size-at)])
				answer.Body.Close()
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	for at := int64(0); at < size; at += piece {
		offsets <- at
	}
	close(offsets)
	wait.Wait()
}

// BenchmarkObjects compares reading tables from an object store with a plain reader of ranges of the same server. The
// server is in this process: it takes its share of the cores.
func BenchmarkObjects(b *testing.B) {
	b.Setenv("AWS_ACCESS_KEY_ID", "k")
	b.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	for _, extension := range []string{".npy", ".parquet", ".csv"} {
		body := written(b, extension, 16<<20/(1+3*strings.Count(extension, "csv")))
		for _, pause := range []time.Duration{0, 20 * time.Millisecond} {
			url := ranges(b, body, pause)
			store, err := object.New(context.Background(), object.Options{Endpoint: url, Region: "eu", PathStyle: true})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(object.Use(store))
			s, err := Sources(b.Context(), []string{"s3://bucket/x" + extension}, Options{})
			if err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("%s/pause=%s", extension[1:], pause)
			b.Run(name+"/plain", func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					plainly(b, url, int64(len(body)))
				}
			})
			b.Run(name+"/bytes", func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					bytesOf(b, store, int64(len(body)))
				}
			})
			b.Run(name+"/table", func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					readAll(b, s)
				}
			})
		}
	}
}

// bytesOf reads all as a decoder does that takes no time.
func bytesOf(b *testing.B, store object.Store, size int64) {
	h := pinned.Object(b.Context(), store, object.Info{Name: object.Name{Bucket: "bucket", Key: "x"}, Size: size, ETag: `"e"`})
	defer h.Close()
	h.Want([]pinned.Span{{From: 0, To: size}})
	buf := make([]byte, 256<<10)
	for at := int64(0); at < size; at += int64(len(buf)) {
		if _, err := h.ReadAt(buf, at); err != nil && err != io.EOF {
			b.Fatal(err)
		}
	}
}

func readAll(b *testing.B, s dataset.Source) {
	r, err := s.Read(b.Context(), 0, s.Rows(), []dataset.Field{{Column: 0}, {Column: 1}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for {
		if _, err := r.Next(); err == io.EOF {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}
