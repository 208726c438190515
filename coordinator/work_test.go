package coordinator

import (
	"fmt"
	"testing"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestTheWorkBookAddsUpAndIsBounded(t *testing.T) {
	var b workBook
	for i := range 12 {
		head := &pb.AnswerHead{Worker: fmt.Sprintf("w%d", i), Micros: 10, Size: 100}
		b.asked(head.Worker, 7)
		b.answered(head, 1000)
		b.answered(head, 500)
	}
	list := b.list()
	if len(list) != 12 || list[1].Worker != "w1" || list[11].Worker != "w11" {
		t.Fatalf("got %v, want twelve workers by number", list)
	}
	if w := list[5]; w.Answers != 2 || w.Rows != 1500 || w.Micros != 20 || w.SentBytes != 7 || w.ReceivedBytes != 200 {
		t.Errorf("got %v, want the sums of two answers", w)
	}
	list[5].Rows = 0
	if b["w5"].Rows != 1500 {
		t.Error("who reads the book changes it")
	}
	for i := range mostWorked {
		b.asked(fmt.Sprint(i), 1)
	}
	b.asked("w3", 1)
	if len(b) != mostWorked || b["w3"].SentBytes != 8 {
		t.Errorf("got %d entries, and %v of a worker that was known; want %d, and the bytes counted", len(b), b["w3"], mostWorked)
	}
}
