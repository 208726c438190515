package coordinator

import (
	"io"
	"net"
	"testing"
)

// BenchmarkLoopback is what this machine's network to itself gives to one connection that does nothing else, both ends
// in one process: the B in the model of bench/README.md.
func BenchmarkLoopback(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	read := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			read <- err
			return
		}
		defer conn.Close()
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, conn, make([]byte, chunkBytes))
		read <- err
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	chunk := make([]byte, chunkBytes)
	b.SetBytes(chunkBytes)
	for b.Loop() {
		if _, err := conn.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	conn.Close()
	if err := <-read; err != nil {
		b.Fatal(err)
	}
}
