package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/remote"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

const (
	// labelBytes is what a message of labels aims at, at most; only a single id that is longer makes a larger one.
	labelBytes = 1 << 20
	// maxLabelID is the longest id that travels, in bytes, so that a message with it alone is still an ordinary one.
	maxLabelID = 1 << 20
	// maxLabelText is the most text of ids in one partition: what the submitter keeps until it is the partition's turn.
	maxLabelText = 1 << 30
)

// SubmitterSink hands labels to the process that submitted the job. It implements LabelSink.
type SubmitterSink struct {
	Address string // of the submitter, for messages; may be empty
	client  pb.SubmitterClient
	token   string
}

// NewSubmitterSink makes a sink over a connection to the submitter of the job that the token belongs to.
func NewSubmitterSink(client pb.SubmitterClient, token string) *SubmitterSink {
	return &SubmitterSink{client: client, token: token}
}

// Put streams the labels and waits until the submitter has written them. What it says of that (the disk is full) comes
// back as it is; a submitter that is gone is an error of kind Failed.
func (s *SubmitterSink) Put(ctx context.Context, l *Labels) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.client.PutLabels(within)
	if err != nil {
		return remote.Fault(ctx, err, s.Address)
	}
	err = eachLabelsPart(s.token, l, stream.Send)
	if err != nil && !errors.Is(err, io.EOF) { // EOF: the other side has ended the stream, and says why below
		return remote.Fault(ctx, err, s.Address)
	}
	if _, closed := stream.CloseAndRecv(); closed != nil {
		err = closed
	}
	return remote.Fault(ctx, err, s.Address)
}

// eachLabelsPart cuts labels into messages.
func eachLabelsPart(token string, l *Labels, send func(*pb.LabelsPart) error) error {
	head := &pb.LabelsHead{Job: token, Partition: uint32(l.Partition), Rows: int64(l.Rows), Integers: l.Integers && l.IDs != nil, Detail: l.Second != nil}
	if err := send(&pb.LabelsPart{Part: &pb.LabelsPart_Head{Head: head}}); err != nil {
		return err
	}
	text := 0
	for from := 0; from < l.Rows; {
		rows, err := labelRowsFrom(l, from)
		if err != nil {
			return err
		}
		if text += len(rows.Text); text > maxLabelText {
			return fault.Inputf(fault.Place{Row: fault.NoRow}, "the ids of partition %d are longer than %d MiB", l.Partition, maxLabelText>>20).
				Do("write the labels where the workers are, or use shorter ids")
		}
		if err := send(&pb.LabelsPart{Part: &pb.LabelsPart_Rows{Rows: rows}}); err != nil {
			return err
		}
		from += int(rows.Rows)
	}
	return nil
}

// labelRowsFrom is the message of rows from on: at least one row, about labelBytes.
func labelRowsFrom(l *Labels, from int) (*pb.LabelsRows, error) {
	m := &pb.LabelsRows{}
	integers := l.RowNumbers
	if l.IDs != nil {
		var ok bool
		if integers, ok = l.IDs.Integers(); l.Integers && !ok {
			return nil, errNotIntegers
		}
		if !l.Integers {
			integers = nil
		}
	}
	fixed := 8
	if l.Second != nil {
		fixed = 16
	}
	to := from
	for size := 0; to < l.Rows; to++ {
		row := fixed + 8
		if integers == nil {
			before := len(m.Text)
			m.Text = l.IDs.AppendTo(m.Text, to)
			id := len(m.Text) - before
			if row = fixed + 4 + id; size+row > labelBytes && to > from {
				m.Text = m.Text[:before]
				break
			}
			if id > maxLabelID {
				return nil, fault.Inputf(fault.Place{Row: fault.NoRow}, "an id is %d bytes long; with labels that travel %d are the most", id, maxLabelID).
					Do("write the labels where the workers are, or use shorter ids")
			}
			m.Ends = binary.LittleEndian.AppendUint32(m.Ends, uint32(len(m.Text)))
		} else if size+row > labelBytes {
			break
		}
		size += row
	}
	m.Rows = uint32(to - from)
	if integers != nil {
		m.Integers = encodeInts(integers[from:to])
	}
	m.Segment, m.Distance = packInt32s(l.Segment[from:to]), packFloat32s(l.Distance[from:to])
	if l.Second != nil {
		m.Second, m.SecondDistance = packInt32s(l.Second[from:to]), packFloat32s(l.SecondDistance[from:to])
	}
	return m, nil
}

func packInt32s(values []int32) []byte {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	return data
}

func packFloat32s(values []float32) []byte {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}

// ReceiveLabels takes the labels of one partition from a worker that knows the token. The caller writes them, and answers
// only then. A partition without rows has both ids and row numbers, none of either. The error is a gRPC status.
func ReceiveLabels(stream pb.Submitter_PutLabelsServer, token string) (*Labels, error) {
	first, err := stream.Recv()
	if err != nil {
		return nil, remote.Status(err)
	}
	if err := remote.Allowed(token, first.GetHead().GetJob()); err != nil {
		return nil, err
	}
	r, err := newLabelReceiver(first.GetHead())
	for err == nil {
		var part *pb.LabelsPart
		part, err = stream.Recv()
		if errors.Is(err, io.EOF) {
			l, err := r.done()
			if err != nil {
				return nil, status.Error(codes.InvalidArgument, err.Error())
			}
			return l, nil
		}
		if err != nil {
			return nil, remote.Status(err)
		}
		err = r.add(part.GetRows())
	}
	return nil, status.Error(codes.InvalidArgument, err.Error())
}

// labelReceiver puts labels together. Memory grows with what has come, whatever was announced.
type labelReceiver struct {
	labels Labels
	want   int
	detail bool
	text   int // bytes of ids so far
}

func newLabelReceiver(head *pb.LabelsHead) (*labelReceiver, error) {
	if rows := head.GetRows(); rows < 0 || rows > kmeans.MaxPoints || head.GetPartition() > math.MaxInt32 {
		return nil, fmt.Errorf("labels of %d rows of partition %d were announced", rows, head.GetPartition())
	}
	r := &labelReceiver{want: int(head.GetRows()), detail: head.GetDetail()}
	r.labels = Labels{Partition: int(head.GetPartition()), Integers: head.GetIntegers(), Segment: []int32{}, Distance: []float32{}}
	if r.detail {
		r.labels.Second, r.labels.SecondDistance = []int32{}, []float32{}
	}
	if head.GetIntegers() || r.want == 0 {
		r.labels.IDs = new(dataset.IDs)
	}
	if r.want == 0 {
		r.labels.RowNumbers = []int64{}
	}
	return r, nil
}

// add checks a run of rows and appends it.
func (r *labelReceiver) add(m *pb.LabelsRows) error {
	l, n := &r.labels, int(m.GetRows())
	if n < 1 || n > r.want-l.Rows {
		return fmt.Errorf("%d rows of labels came where at most %d were due", n, r.want-l.Rows)
	}
	detail := 0
	if r.detail {
		detail = 4 * n
	}
	if len(m.GetSegment()) != 4*n || len(m.GetDistance()) != 4*n || len(m.GetSecond()) != detail || len(m.GetSecondDistance()) != detail {
		return fmt.Errorf("%d, %d, %d and %d bytes of labels came for %d rows", len(m.GetSegment()), len(m.GetDistance()), len(m.GetSecond()),
			len(m.GetSecondDistance()), n)
	}
	if err := r.addIDs(m, n); err != nil {
		return err
	}
	l.Rows += n
	l.Segment, l.Distance = unpackInt32s(l.Segment, m.GetSegment()), unpackFloat32s(l.Distance, m.GetDistance())
	if lowest := slices.Min(l.Segment[len(l.Segment)-n:]); lowest < 0 {
		return fmt.Errorf("a row of segment %d came", lowest)
	}
	if r.detail {
		l.Second, l.SecondDistance = unpackInt32s(l.Second, m.GetSecond()), unpackFloat32s(l.SecondDistance, m.GetSecondDistance())
		if lowest := slices.Min(l.Second[len(l.Second)-n:]); lowest < -1 {
			return fmt.Errorf("a row of second segment %d came", lowest)
		}
	}
	return nil
}

// addIDs tells integers that are ids, integers that are row numbers, and texts apart. All messages of a partition must
// have the same.
func (r *labelReceiver) addIDs(m *pb.LabelsRows, n int) error {
	l := &r.labels
	integers := len(m.GetIntegers()) > 0
	switch {
	case integers && (len(m.GetIntegers()) != 8*n || len(m.GetText())+len(m.GetEnds()) > 0), !integers && len(m.GetEnds()) != 4*n:
		return fmt.Errorf("%d bytes of integers and %d of ends of texts came for %d rows", len(m.GetIntegers()), len(m.GetEnds()), n)
	case l.Integers && !integers, l.IDs != nil && integers && !l.Integers, l.RowNumbers != nil && !integers:
		return errors.New("ids of two kinds came")
	case l.Integers:
		for data := m.GetIntegers(); len(data) > 0; data = data[8:] {
			l.IDs.AppendInt(int64(binary.LittleEndian.Uint64(data)))
		}
		return nil
	case integers:
		return r.addRowNumbers(m.GetIntegers())
	}
	if l.IDs == nil {
		l.IDs = new(dataset.IDs)
	}
	if r.text += len(m.GetText()); r.text > maxLabelText {
		return fmt.Errorf("more than %d bytes of ids came", maxLabelText)
	}
	before := uint32(0)
	for ends := m.GetEnds(); len(ends) > 0; ends = ends[4:] {
		end := binary.LittleEndian.Uint32(ends)
		if end < before || uint64(end) > uint64(len(m.GetText())) {
			return fmt.Errorf("an id from %d to %d of %d bytes came", before, end, len(m.GetText()))
		}
		l.IDs.AppendText(m.GetText()[before:end])
		before = end
	}
	if int(before) != len(m.GetText()) {
		return fmt.Errorf("%d bytes of ids came, of which %d belong to rows", len(m.GetText()), before)
	}
	return nil
}

func (r *labelReceiver) addRowNumbers(data []byte) error {
	l := &r.labels
	for ; len(data) > 0; data = data[8:] {
		number := int64(binary.LittleEndian.Uint64(data))
		if number < 0 || len(l.RowNumbers) > 0 && number <= l.RowNumbers[len(l.RowNumbers)-1] {
			return fmt.Errorf("row number %d came out of order", number)
		}
		l.RowNumbers = append(l.RowNumbers, number)
	}
	return nil
}

// done is the labels, if all have come.
func (r *labelReceiver) done() (*Labels, error) {
	if r.labels.Rows != r.want {
		return nil, fmt.Errorf("%d rows of labels came where %d were announced", r.labels.Rows, r.want)
	}
	return &r.labels, nil
}

func unpackInt32s(dst []int32, data []byte) []int32 {
	for ; len(data) > 0; data = data[4:] {
		dst = append(dst, int32(binary.LittleEndian.Uint32(data)))
	}
	return dst
}

func unpackFloat32s(dst []float32, data []byte) []float32 {
	for ; len(data) > 0; data = data[4:] {
		dst = append(dst, math.Float32frombits(binary.LittleEndian.Uint32(data)))
	}
	return dst
}
