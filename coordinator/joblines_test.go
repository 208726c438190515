package coordinator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// lines are those of a message, each as its fields.
func (j *journal) lines(t *testing.T) map[string][]map[string]any {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := make(map[string][]map[string]any)
	for decoder := json.NewDecoder(bytes.NewReader(j.text.Bytes())); ; {
		var line map[string]any
		if err := decoder.Decode(&line); err == io.EOF {
			return lines
		} else if err != nil {
			t.Fatal(err)
		}
		message := fmt.Sprint(line["msg"])
		lines[message] = append(lines[message], line)
	}
}

func TestWhatHappensToAJobIsLoggedWithTheAgreedFields(t *testing.T) {
	var log journal
	change := func(c *ServerConfig) {
		noHelp(c)
		c.Log = slog.New(slog.NewJSONHandler(&log, nil))
	}
	inVillage(t, change, func(t *testing.T, v *village) {
		v.hand("a")
		b := v.hand("b")
		reached, goOn := b.at(wire.Iterate)
		id := v.fits(func(s *pb.JobSpec) { s.MinWorkers = 1 })
		<-reached
		b.set(func(h *hand) { h.mute = true })
		time.Sleep(4 * time.Second)
		goOn()
		b.set(func(h *hand) { h.mute = false })
		time.Sleep(2 * time.Second)
		v.calm(id)
		lines := log.lines(t)
		for message, want := range map[string]struct{ fields, holds string }{
			"worker joined":         {"address cores epoch kernel memory version worker", `"worker":"a"`},
			"job submitted":         {"job name partitions rows", `"rows":`},
			"job phase":             {"job phase rows", `"phase":"read"`},
			"worker lost":           {"partitions reason state worker", `"reason":"silent"`},
			"partitions reassigned": {"job partitions worker", `"worker":"b"`},
			"worker back":           {"address cores epoch kernel memory version worker", `"worker":"b"`},
			"checkpoint written":    {"bytes checkpoint job", `"checkpoint":1`},
			"job ended":             {"epoch iterations job reason seconds state", `"state":"done"`},
		} {
			found := lines[message]
			if len(found) == 0 {
				t.Errorf("there is no line %q", message)
				continue
			}
			all := ""
			for _, line := range found {
				delete(line, "time")
				delete(line, "level")
				delete(line, "msg")
				if fields := strings.Join(slices.Sorted(maps.Keys(line)), " "); fields != want.fields {
					t.Errorf("%s: got the fields %s, want %s", message, fields, want.fields)
				}
				text, _ := json.Marshal(line)
				all += string(text)
			}
			if !strings.Contains(all, want.holds) {
				t.Errorf("%s: got %s, want %s", message, all, want.holds)
			}
		}
		for message, found := range lines {
			for _, line := range found {
				for field := range line {
					if !slices.Contains(append(observe.Fields, "time", "level", "msg"), field) {
						t.Errorf("%q has the field %s, which is not one of those agreed", message, field)
					}
				}
			}
		}
		if rounds := v.info(id).Iteration; len(lines) > 20 || rounds < 3 {
			t.Errorf("got %d kinds of lines for %d iterations: no round has a line of its own", len(lines), rounds)
		}
	})
}

func TestLinesOfAJobNameTheTraceThatItWasSubmittedUnder(t *testing.T) {
	var log journal
	s := &Server{config: ServerConfig{Log: slog.New(slog.NewJSONHandler(&log, nil))}}
	for parent, want := range map[string]any{
		"": nil, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": "0af7651916cd43dd8448eb211c80319c", "nonsense": nil,
	} {
		(&jobRun{id: "job-x", server: s, trace: parent}).lines().Info(parent)
		line := log.lines(t)[parent][0]
		if line["trace_id"] != want || line["job"] != "job-x" {
			t.Errorf("submitted under %q: got trace_id %v and job %v, want %v", parent, line["trace_id"], line["job"], want)
		}
	}
}
