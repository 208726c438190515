package main

import (
	"errors"
	"math"
	"sort"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
)

// hypothesis is a flag for a cluster that is not there: workers=400,network=25Gb.
type hypothesis struct {
	to   **pipeline.WhatIf
	text string
}

func (h *hypothesis) String() string { return h.text }

// Type implements pflag.Value.
func (h *hypothesis) Type() string { return "KEY=VALUE,…" }

// mostOf bounds what can be asked: more than there is of anything.
var mostOf = map[string]int64{"workers": 1 << 20, "rows": 1 << 50, "d": 10_000, "k": math.MaxInt32, "iterations": 1_000_000}

// Set takes pairs of key and value; workers must be among them.
func (h *hypothesis) Set(value string) error {
	w, seen := &pipeline.WhatIf{}, make(map[string]bool)
	for _, part := range strings.Split(value, ",") {
		key, text, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case !ok:
			return refuse("has %q, which is not KEY=VALUE", part)
		case seen[key]:
			return refuse("has %s twice", key)
		}
		seen[key] = true
		if err := assume(w, key, text); err != nil {
			return err
		}
	}
	if !seen["workers"] {
		return refuse("does not say how many workers: workers=400")
	}
	if w.Rows > 0 && w.K > 0 && w.Rows < int64(w.K) {
		return refuse("has rows=%d, which is below k=%d", w.Rows, w.K)
	}
	*h.to, h.text = w, value
	return nil
}

// assume sets one field.
func assume(w *pipeline.WhatIf, key, text string) error {
	switch key {
	case "network":
		bytes, err := capacity.ParseNetwork(text)
		if err != nil {
			return refuse("has network=%s, which %s", text, err)
		}
		w.Network = bytes
	case "cores":
		cores, err := strconv.ParseFloat(text, 64)
		if err != nil || !(cores > 0 && cores <= 1<<24) {
			return refuse("has cores=%s, which must be a number above 0 and up to %s", text, grouped(1<<24))
		}
		w.Cores = cores
	case "workers", "rows", "d", "k", "iterations":
		n, err := readTally(text, 1, mostOf[key])
		if why := (*refusal)(nil); errors.As(err, &why) {
			return refuse("has %s=%s, which %s", key, text, why.why)
		}
		switch key {
		case "workers":
			w.Workers = int(n)
		case "rows":
			w.Rows = n
		case "d":
			w.D = int(n)
		case "k":
			w.K = int(n)
		case "iterations":
			w.Iterations = int(n)
		}
	default:
		known := []string{"workers", "network", "cores", "rows", "d", "k", "iterations"}
		if near := fault.Nearest(key, known); near != "" {
			return refuse("has %q, which is none of %s; did you mean %q?", key, strings.Join(known, ", "), near)
		}
		sort.Strings(known)
		return refuse("has %q, which is none of %s", key, strings.Join(known, ", "))
	}
	return nil
}
