//go:build !linux

package spill

import (
	"errors"
	"os"
)

func openDirect(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func written(*os.File, int64, int64) {}

func done(*os.File, int64, int64) {}

func inMemory(string) bool { return false }

func freeBytes(string) int64 { return -1 }
