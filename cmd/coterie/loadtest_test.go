package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/pipeline"
)

func TestLoadtestTellsWhatItMeasured(t *testing.T) {
	base := []string{"loadtest", "--rows", "100k", "-d", "32", "-k", "3", "--max-iter", "3", "--threads", "2", "--quiet"}
	text := coterie(append(base, "--workers", "2", "--what-if", "workers=400,network=25Gb,rows=1e9")...)
	for _, want := range []string{"100,000 rows × 32 columns, k = 3, in this process: 2 workers, 2 threads", "1 fit of 3 iterations, 3 iterations in all", "\niteration ",
		"\nspeed ", " rows/s, ", " GFLOP/s", "\nefficiency ", "\nnetwork ", " by the formula\n", "\nmemory ", "\nslowest ", "\nmodel ", "\ndigest ", "worker-1", "worker-2",
		"what if: 400 workers, 400 cores, coordinator at 25 Gbit/s; 1,000,000,000 rows × 32, k = 3\n", "\nbottleneck ", "\ncrossover "} {
		if !strings.Contains(text.stdout, want) {
			t.Errorf("the report lacks %q:\n%s", want, text.stdout)
		}
	}
	if text.code != 0 || text.stderr != "" {
		t.Errorf("got exit code %d and %q", text.code, text.stderr)
	}
	got := runWith(context.Background(), []string{"COTERIE_K=3", "COTERIE_ROWS=1e5", "COTERIE_MAX_ITER=3", "COTERIE_FAULTS=2"}, "loadtest", "-d", "32", "--threads", "1", "--json", "--quiet")
	var doc pipeline.LoadOutcome
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 || got.stderr != "" {
		t.Fatalf("got %+v (%v), want one document", got, err)
	}
	if doc.Rows != 100_000 || doc.Fits != 1 || doc.Pass.Count != 3 || doc.Speed.Rows <= 0 || doc.Scaling != nil || len(doc.Workers) != 1 || !strings.Contains(text.stdout, doc.Digest) {
		t.Errorf("got %+v, want what the report tells of a fit with two workers", doc)
	}
}

func TestLoadtestNamesTheWrongFlag(t *testing.T) {
	for args, want := range map[string]string{
		"":                                            "coterie loadtest needs --rows",
		"--rows 0":                                    `--rows: "0" must lie between 1 and `,
		"--rows abc":                                  `--rows: "abc" is not a whole number such as 200000, 1e9 or 200M`,
		"--rows 1.5":                                  `--rows: "1.5" is not a whole number`,
		"--rows 1e300M":                               `--rows: "1e300M" must lie between`,
		"--rows 0x10":                                 `--rows: "0x10" is not a whole number`,
		"--rows 10":                                   "--rows: 10 is below -k 50",
		"--rows 1M -k 0":                              `-k: "0" must lie between 1 and`,
		"--rows 1M -d 0":                              `-d: "0" must lie between 1 and 10000`,
		"--rows 1M -d 10001":                          `-d: "10001" must lie between 1 and 10000`,
		"--rows 1M --workers 0":                       `--workers: "0" must lie between 1 and 1024`,
		"--rows 1M --duration 1000h":                  "--duration: ",
		"--rows 1M --duration x":                      `--duration: "x" is not a time span`,
		"--rows 1M --duration 1ns --threads 1":        "--duration: 1ns leaves no time for one iteration",
		"--rows 1M --faults 2":                        "--faults without --chaos",
		"--rows 1M --faults -1 --chaos":               `--faults: "-1" must lie between 1 and 64`,
		"--rows 1M --faults 0 --chaos":                `--faults: "0" must lie between 1 and 64`,
		"--rows 1M --faults 65 --chaos":               `--faults: "65" must lie between 1 and 64`,
		"--rows 1M --chaos --workers 1":               "--workers: 1 must lie between 2 and 16 with --chaos",
		"--rows 1M --chaos --workers 17":              "--workers: 17 must lie between 2 and 16 with --chaos",
		"--rows 1M --chaos --cluster 127.0.0.1:1":     "--chaos kills only what it has started, and --cluster names a cluster of others",
		"--rows 1M --threads 1 --cluster 127.0.0.1:1": "--threads is for the embedded cluster",
		"--rows 1M --what-if network=25Gb":            "does not say how many workers: workers=400",
		"--rows 1M --what-if workers=0":               "has workers=0, which must lie between 1 and 1,048,576",
		"--rows 1M --what-if workers=2,network=abc":   "has network=abc, which is not a bandwidth such as 25Gb",
		"--rows 1M --what-if workers=2,network=25":    "has network=25, which leaves open whether it means bits or bytes",
		"--rows 1M --what-if workers=2,netwrok=25Gb":  `did you mean "network"?`,
		"--rows 1M --what-if workers=2,cores=0":       "has cores=0, which must be a number above 0",
		"--rows 1M --what-if workers=2,workers=3":     "has workers twice",
		"--rows 1M --what-if workers=2,rows=5,k=9":    "has rows=5, which is below k=9",
		"--rows 1M --what-if workers=2,rows=5":        "--what-if: 5 rows are below k = 50",
		"--rows 1M --what-if workers":                 `has "workers", which is not KEY=VALUE`,
		"--rows 1000T --threads 1":                    "--rows: more rows than can be divided among workers",
	} {
		got := coterie(append([]string{"loadtest", "--quiet"}, strings.Fields(args)...)...)
		if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, want) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: got %+v, want exit code 2 and %q", args, got, want)
		}
	}
}

func TestLargeNumbersAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]int64{"1e9": 1e9, "200M": 200e6, "1.5G": 1.5e9, "20k": 20_000, "20K": 20_000, "1T": 1e12, "7": 7, "010": 10} {
		if got, err := readTally(text, 1, 1<<50); got != want || err != nil {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "M", "1 M", "-1", "NaN", "1e-3", "1.0001k", "1e", "0x1p3", "1_000", "1G2"} {
		if got, err := readTally(text, 1, 1<<50); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

func TestTimesAndNumbersAreShort(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0 s", 2.5e-5: "25.0 µs", 0.0123: "12.3 ms", 0.9999: "1000 ms", 4.5678: "4.57 s", 99.96: "100 s", 4000: "1h6m40s"} {
		if got := span3(seconds); got != want {
			t.Errorf("%v s: got %q, want %q", seconds, got, want)
		}
	}
	for x, want := range map[float64]string{12: "12", 9999: "9999", 12_345: "12.3k", 1e6: "1.00M", 2.5e9: "2.50G", 1e13: "10.0T"} {
		if got := inShort(x); got != want {
			t.Errorf("%v: got %q, want %q", x, got, want)
		}
	}
}
