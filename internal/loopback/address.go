package loopback

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// The ports: above those that services are known by, and below 32768, where Linux begins to pick from.
const (
	first, last = 10_000, 32_000
	attempts    = 1000
)

var given struct {
	mu    sync.Mutex
	ports map[int]bool
}

// Address is 127.0.0.1 with a port on which nobody listened a moment ago, neither with TCP nor with UDP, and which this
// process has not been given before.
func Address() (string, error) {
	given.mu.Lock()
	defer given.mu.Unlock()
	if given.ports == nil {
		given.ports = make(map[int]bool)
	}
	for range attempts {
		port := first + rand.IntN(last-first)
		if address := fmt.Sprintf("127.0.0.1:%d", port); !given.ports[port] && free(address) {
			given.ports[port] = true
			return address, nil
		}
	}
	return "", fmt.Errorf("loopback: none of %d ports between %d and %d is free", attempts, first, last)
}

func free(address string) bool {
	stream, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer stream.Close()
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	packets.Close()
	return true
}
