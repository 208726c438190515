//go:build !linux

package spill

import "runtime"

var unlinks = runtime.GOOS != "windows"
