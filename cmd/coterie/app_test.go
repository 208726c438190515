package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
)

// outcome is what one run of the program left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

// runWith runs the program in this process, in an environment of its own: pairs have the form NAME=value.
func runWith(ctx context.Context, env []string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := newApp(strings.NewReader(""), &stdout, &stderr, env).run(ctx, args)
	return outcome{code, stdout.String(), stderr.String()}
}

func coterie(args ...string) outcome { return runWith(context.Background(), nil, args...) }

// probe is a command that says what its flags came to.
type probe struct {
	data   dataFlags
	engine engineFlags
	seed   int64
	tol    float64
	output string
	err    error // what the command returns
	began  func()
}

func (p *probe) command(app *App) *cobra.Command {
	cmd := &cobra.Command{Use: "probe DATA...", Short: "Say what the flags came to", Args: someArgs("DATA")}
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := p.data.check(); err != nil {
			return err
		}
		if p.began != nil {
			p.began()
		}
		if p.err != nil {
			return p.err
		}
		_, err := fmt.Fprintf(app.Stdout, "seed=%d tol=%v features=%q scale=%s workers=%d quiet=%v out=%s\n",
			p.seed, p.tol, p.data.features, p.data.scale, p.engine.workers, app.quiet, p.output)
		return err
	}
	p.data.bind(cmd)
	p.engine.bind(cmd)
	cmd.Flags().Var(newWhole(&p.seed, 0, 0, 1<<62), "seed", "the `SEED`")
	cmd.Flags().Var(newReal(&p.tol, 1e-4, 0), "tol", "the tolerance `T`")
	cmd.Flags().StringVarP(&p.output, "output", "o", "", "the result `FILE`")
	return cmd
}

// withProbe adds the probe to the commands of this test.
func withProbe(t *testing.T) *probe {
	t.Helper()
	p := &probe{}
	old := commands
	commands = append(append([]func(*App) *cobra.Command(nil), old...), func(app *App) *cobra.Command {
		fresh := probe{err: p.err, began: p.began}
		return fresh.command(app)
	})
	t.Cleanup(func() { commands = old })
	return p
}

func TestWrongUsageIsExitTwoWithOneLine(t *testing.T) {
	withProbe(t)
	folder := t.TempDir()
	cases := []struct {
		args []string
		want string // all of stderr after the prefix
	}{
		{[]string{"prob"}, `unknown command "prob" (did you mean "probe"?)`},
		{[]string{"Version"}, `unknown command "Version" (did you mean "version"?)`},
		{[]string{"compact", "--rows", "5"}, `unknown command "compact" (coterie --help lists the commands)`},
		{[]string{"help", "vresion"}, `unknown command "vresion" (did you mean "version"?)`},
		{[]string{"probe"}, "coterie probe needs DATA (usage: coterie probe DATA... [flags])"},
		{[]string{"version", "now"}, `coterie version does not take the argument "now" (usage: coterie version [flags])`},
		{[]string{"probe", "x", "--sede", "3"}, "unknown flag --sede for coterie probe (did you mean --seed?)"},
		{[]string{"probe", "x", "--cluster", "a:1"}, "unknown flag --cluster for coterie probe (coterie probe --help lists the flags)"},
		{[]string{"probe", "x", "-seed", "3"}, "unknown flag -seed for coterie probe (did you mean --seed?)"},
		{[]string{"probe", "x", "-z"}, "unknown flag -z for coterie probe (coterie probe --help lists the flags)"},
		{[]string{"probe", "x", "--seed"}, "--seed needs a value (the SEED)"},
		{[]string{"probe", "x", "--seed", "many"}, `--seed: "many" is not a whole number`},
		{[]string{"probe", "x", "--seed", "1.5"}, `--seed: "1.5" is not a whole number`},
		{[]string{"probe", "x", "--seed=-1"}, `--seed: "-1" must be at least 0`},
		{[]string{"probe", "x", "--workers", "0"}, `--workers: "0" must lie between 1 and 1024`},
		{[]string{"probe", "x", "--threads", "0"}, `--threads: "0" must lie between 1 and 2147483647`},
		{[]string{"probe", "x", "--tol", "NaN"}, `--tol: "NaN" is not a number`},
		{[]string{"probe", "x", "--tol", "-1"}, `--tol: "-1" must be at least 0`},
		{[]string{"probe", "x", "--scale", "zscore"}, `--scale: "zscore" is none of standard, minmax, robust, none`},
		{[]string{"probe", "x", "--missing", "zero"}, `--missing: "zero" is none of fail, mean, median, indicator, drop`},
		{[]string{"probe", "x", "--progress", "loud"}, `--progress: "loud" is none of auto, bar, plain, json, none`},
		{[]string{"probe", "x", "--features", "a,,b"}, `--features: "a,,b" has an empty name`},
		{[]string{"probe", "x", "--features", "a,b,a"}, `--features: "a,b,a" has "a" twice`},
		{[]string{"probe", "x", "--features", "a", "--log1p", "b"}, `--log1p: "b" is not one of the --features (add it to --features, or leave it out)`},
		{[]string{"probe", "x", "--id", "a", "--features", "a"}, `--id: "a" is also a column to cluster on (leave it out of --features and --categorical)`},
		{[]string{"probe", "x", "--bad-rows-out", "b.csv"}, `--bad-rows-out: "b.csv" without --bad-rows quarantine (add --bad-rows quarantine)`},
		{[]string{"probe", "x", "--bad-rows", "quarantine", "--bad-rows-out", "b.txt"},
			`--bad-rows-out: "b.txt" has no known extension (use one of .csv, .csv.gz, .csv.zst, .parquet)`},
		{[]string{"version", "--json=perhaps"}, `--json: "perhaps" is neither true nor false`},
		{[]string{"completion"}, "coterie completion needs SHELL: bash, zsh, fish or powershell (usage: coterie completion SHELL [flags])"},
		{[]string{"completion", "fsh"}, `SHELL: "fsh" is none of bash, zsh, fish, powershell (did you mean "fish"?)`},
		{[]string{"man", "-o", folder, folder}, fmt.Sprintf("-o %q and the argument %q both name a folder", folder, folder)},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			want := outcome{2, "", "coterie: " + c.want + "\n"}
			if diff := cmp.Diff(want, coterie(c.args...), cmp.AllowUnexported(outcome{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotBuiltYetIsUnknown(t *testing.T) {
	for _, name := range []string{"compact", "score"} {
		got := coterie(name, "--json")
		if got.code != 2 || !strings.Contains(got.stderr, fmt.Sprintf("unknown command %q", name)) || got.stdout != "" {
			t.Errorf("coterie %s: got %+v, want exit code 2 and an unknown command", name, got)
		}
	}
	// What stands behind a flag is a command's own: each has it here, or has it not at all.
	built := map[string][]string{"cluster": {"fit", "assign", "sweep", "plan", "status", "loadtest"}, "detach": {"fit", "assign", "sweep"}, "min-workers": {"fit", "assign", "sweep"},
		"worker-wait": {"fit", "assign", "sweep"}, "memory": {"coordinator", "worker", "fit", "sweep", "assign", "plan", "rfm", "loadtest"}, "spill": {"worker", "fit", "sweep", "assign", "plan", "rfm", "loadtest"}, "insecure": {"fit", "assign", "sweep", "coordinator", "worker", "serve"},
		"tls-cert": {"fit", "assign", "sweep", "plan", "status", "loadtest", "coordinator", "worker", "serve"}, "gate": {"check", "fit"}, "from": {"migrate", "fit"},
		"from-labels": {"fit", "export"}, "keep-transforms": {"fit"}, "report": {"fit"}, "formulas": {"export"}, "checkpoint": {"fit"}, "resume": {"fit"},
		"pprof": {"coordinator", "worker", "serve"}, "log-format": {"coordinator", "worker", "serve"}, "log-level": {"coordinator", "worker", "serve"}}
	for _, c := range newRoot(newApp(nil, nil, nil, nil)).Commands() {
		for _, flag := range []string{"cluster", "detach", "checkpoint", "resume", "memory", "spill", "min-workers", "worker-wait", "insecure",
			"tls-cert", "gate", "report", "feature-weight", "from", "from-labels", "keep-transforms", "pprof", "log-format", "log-level"} {
			has, want := c.Flags().Lookup(flag) != nil, slices.Contains(built[flag], c.Name())
			if flag == "feature-weight" { // it goes with the transforms
				want = c.Flags().Lookup("log1p") != nil
			}
			if has != want {
				t.Errorf("coterie %s has --%s: %v, want %v", c.Name(), flag, has, want)
			}
		}
	}
}

func TestErrorsBecomeExitCodes(t *testing.T) {
	p := withProbe(t)
	cases := []struct {
		err  error
		want outcome
	}{
		{nil, outcome{0, "seed=0 tol=0.0001 features=[] scale=standard workers=1 quiet=false out=\n", ""}},
		{fmt.Errorf("no luck"), outcome{1, "", "coterie: no luck\n"}},
		{fault.Failedf(nil, "disk full").Do("free some"), outcome{1, "", "coterie: disk full (free some)\n"}},
		{fmt.Errorf("around: %w", fault.Inputf(fault.Place{File: "a.csv", Line: 3, Row: -1, Column: "age"}, "not a number: \"x\ny\x1b[2J\"")),
			outcome{3, "", "coterie: around: a.csv: line 3, column age: not a number: \"x y [2J\"\n"}},
		{&fault.Error{Kind: fault.Gate, Place: fault.Place{Row: -1}, Problem: "too small"}, outcome{4, "", "coterie: too small\n"}},
	}
	for _, c := range cases {
		p.err = c.err
		if diff := cmp.Diff(c.want, coterie("probe", "x"), cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.err, diff)
		}
	}
}

func TestAnInterruptedCommandIsExit130(t *testing.T) {
	p := withProbe(t)
	ctx, cancel := context.WithCancel(context.Background())
	p.began, p.err = cancel, fmt.Errorf("reading: %w", context.Canceled)
	got := runWith(ctx, nil, "probe", "x")
	want := outcome{130, "", "coterie: interrupted\n"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFlagBeatsEnvironmentBeatsFile(t *testing.T) {
	withProbe(t)
	file := filepath.Join(t.TempDir(), "month.yaml")
	write(t, file, "seed: 1\ntol: 0.5\nfeatures: [a, \"b,c\"]\nscale: robust\no: file.json\nquiet: true\n")
	env := []string{"COTERIE_SEED=2", "COTERIE_TOL=0.25", "COTERIE_FEATURES=d,e", "COTERIE_WORKERS=", "COTERIE_RETAIL=somewhere", "COTERIE_UNKNOWN=1"}
	cases := []struct {
		env  []string
		args []string
		want string
	}{
		{nil, []string{"--config", file}, `seed=1 tol=0.5 features=["a" "b,c"] scale=robust workers=1 quiet=true out=file.json`},
		{env, []string{"--config", file}, `seed=2 tol=0.25 features=["d" "e"] scale=robust workers=1 quiet=true out=file.json`},
		{append(env, "COTERIE_CONFIG="+file), []string{"--seed", "3", "--features", "f", "--features", "g", "-o", "x"},
			`seed=3 tol=0.25 features=["f" "g"] scale=robust workers=1 quiet=true out=x`},
		{[]string{"COTERIE_O=env.json", "COTERIE_OUTPUT=env.json"}, nil, `seed=0 tol=0.0001 features=[] scale=standard workers=1 quiet=false out=env.json`},
		{nil, []string{"--seed", "1e6", "--quiet=false", "--config", file}, `seed=1000000 tol=0.5 features=["a" "b,c"] scale=robust workers=1 quiet=false out=file.json`},
		{nil, []string{"--seed", "010"}, `seed=10 tol=0.0001 features=[] scale=standard workers=1 quiet=false out=`},
	}
	for _, c := range cases {
		got := runWith(context.Background(), c.env, append([]string{"probe", "x"}, c.args...)...)
		if diff := cmp.Diff(outcome{0, c.want + "\n", ""}, got, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%v %v (-want +got):\n%s", c.env, c.args, diff)
		}
	}
}

func TestBadSettingsNameTheirSource(t *testing.T) {
	withProbe(t)
	file := filepath.Join(t.TempDir(), "month.yaml")
	cases := []struct{ text, env, want string }{
		{"seed: 1\nscael: robust\n", "", `FILE: line 2: unknown key "scael" for coterie probe (did you mean "scale"?)`},
		{"cluster: a:1\n", "", `FILE: line 1: unknown key "cluster" for coterie probe (the keys are the flags of coterie probe without their dashes)`},
		{"config: other.yaml\n", "", `FILE: line 1: unknown key "config" for coterie probe (the keys are the flags of coterie probe without their dashes)`},
		{"help: true\n", "", `FILE: line 1: unknown key "help" for coterie probe (the keys are the flags of coterie probe without their dashes)`},
		{"seed: many\n", "", `--seed (FILE, line 1): "many" is not a whole number`},
		{"tol: 1\nseed: [1, 2]\n", "", `FILE, line 2: seed takes one value, not a list`},
		{"seed:\n", "", `FILE, line 1: seed has no value`},
		{"seed: {a: 1}\n", "", `FILE, line 1: seed must be a value or a list of values`},
		{"features: [a, [b]]\n", "", `FILE, line 1: features has an item on line 1 that is not a plain value`},
		{"features: [a, a]\n", "", `--features (FILE, line 1): "a,a" has "a" twice`},
		{"o: a\noutput: b\n", "", `FILE: output is set on line 1 and on line 2`},
		{"seed: 1\nseed: 2\n", "", `FILE: seed is set on line 1 and on line 2`},
		{"- seed\n", "", `--config: FILE must be a mapping from flags to values (for example: seed: 7)`},
		{"seed: 1\n---\nseed: 2\n", "", `--config: FILE holds more than one document`},
		{"seed: \"1\n", "", `--config: FILE: line 2: found unexpected end of stream`},
		{"", "COTERIE_SEED=x", `--seed (COTERIE_SEED): "x" is not a whole number`},
		{"", "COTERIE_SCALE=x", `--scale (COTERIE_SCALE): "x" is none of standard, minmax, robust, none`},
		{"", "COTERIE_KERNEL=sse9", `COTERIE_KERNEL: "sse9" is none of avx512, avx2, neon, portable (this machine has KERNELS)`},
	}
	var v versionDocument
	if err := json.Unmarshal([]byte(coterie("version", "--json").stdout), &v); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		write(t, file, c.text)
		got := runWith(context.Background(), []string{c.env}, "probe", "x", "--config", file)
		text := strings.NewReplacer("FILE", file, "KERNELS", strings.Join(v.Kernels, ", ")).Replace(c.want)
		if diff := cmp.Diff(outcome{2, "", "coterie: " + text + "\n"}, got, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%q %q (-want +got):\n%s", c.text, c.env, diff)
		}
	}
	clash := runWith(context.Background(), []string{"COTERIE_O=a", "COTERIE_OUTPUT=b"}, "probe", "x")
	if want := "coterie: -o: COTERIE_OUTPUT is \"b\" but COTERIE_O is \"a\" (unset one of them)\n"; clash.code != 2 || clash.stderr != want {
		t.Errorf("clash: got %+v, want exit code 2 and %q", clash, want)
	}
	if got := coterie("probe", "x", "--config", filepath.Join(t.TempDir(), "none.yaml")); got.code != 2 {
		t.Errorf("no such file: got %+v, want exit code 2", got)
	}
	for _, empty := range []string{"", "# nothing\n", "---\n"} {
		write(t, file, empty)
		if got := coterie("probe", "x", "--config", file); got.code != 0 {
			t.Errorf("%q: got %+v, want exit code 0", empty, got)
		}
	}
}

func TestOutputIsCheckedBeforeTheWork(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "sub.csv"), 0o777); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		path string
		code int
		want string
	}{
		{filepath.Join(folder, "a.csv"), 0, ""},
		{"a.parquet", 0, ""},
		{"-", 0, ""},
		{filepath.Join(folder, "none", "a.csv"), 1, filepath.Join(folder, "none")},
		{filepath.Join(folder, "sub.csv"), 1, "folder"},
		{filepath.Join(folder, "a.xlsx"), 2, ".parquet"},
		{"csv", 2, "csv"},
		{".csv", 2, ".csv"},
		{"", 2, "extension"},
	}
	for _, c := range cases {
		err := checkOutput("-o", c.path, tables...)
		if fault.Code(err) != c.code || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("checkOutput(%q): got %v, want exit code %d naming %q", c.path, err, c.code, c.want)
		}
	}
	if err := checkOutput("-o", "-", ".json"); fault.Code(err) != 2 {
		t.Errorf("a model to standard output: got %v, want exit code 2", err)
	}
	if err := checkStdout(true, "-"); fault.Code(err) != 2 {
		t.Errorf("--json with -o -: got %v, want exit code 2", err)
	}
	for _, twice := range [][]string{{"-", "", "-"}, {"a.csv", "./a.csv"}} {
		if err := checkStdout(false, twice...); fault.Code(err) != 2 {
			t.Errorf("outputs %q: got %v, want exit code 2", twice, err)
		}
	}
	if err := checkStdout(true, "a.csv", "", "b.csv", ""); err != nil {
		t.Errorf("two files: got %v, want no error", err)
	}
}

func TestVersionDocument(t *testing.T) {
	got := coterie("version", "--json")
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(got.stdout))
	if err := decoder.Decode(&fields); err != nil || decoder.More() || got.stderr != "" {
		t.Fatalf("got %+v (%v), want one JSON document", got, err)
	}
	for _, name := range []string{"version", "commit", "go", "kernel", "arithmetic"} {
		if text, ok := fields[name].(string); !ok || text == "" {
			t.Errorf("%s: got %v, want a text", name, fields[name])
		}
	}
	kernels, _ := fields["kernels"].([]any)
	if len(kernels) == 0 || kernels[len(kernels)-1] != "portable" {
		t.Errorf("kernels: got %v, want portable last", kernels)
	}
	if text := coterie("--version").stdout; text != "coterie "+version()+"\n" {
		t.Errorf("--version: got %q", text)
	}
}

func TestKernelOfTheEnvironmentIsUsed(t *testing.T) {
	before := coterie("version", "--json").stdout
	defer func() {
		var v versionDocument
		if err := json.Unmarshal([]byte(before), &v); err != nil {
			t.Fatal(err)
		}
		runWith(context.Background(), []string{"COTERIE_KERNEL=" + v.Kernel}, "version")
	}()
	got := runWith(context.Background(), []string{"COTERIE_KERNEL=portable"}, "version", "--json")
	if !strings.Contains(got.stdout, `"kernel":"portable"`) {
		t.Errorf("got %+v, want the portable kernel", got)
	}
}

func TestCompletionScriptsAreMadeForEveryShell(t *testing.T) {
	for _, shell := range shells {
		if got := coterie("completion", shell); got.code != 0 || !strings.Contains(got.stdout, "coterie") || got.stderr != "" {
			t.Errorf("%s: exit code %d, %d bytes, %q", shell, got.code, len(got.stdout), got.stderr)
		}
	}
	withProbe(t)
	if got := coterie("__complete", "probe", "--scale", "r"); !strings.HasPrefix(got.stdout, "standard\nminmax\nrobust\nnone\n") &&
		!strings.HasPrefix(got.stdout, "robust\n") {
		t.Errorf("completing --scale: got %q", got.stdout)
	}
}

func TestManPagesForEveryCommand(t *testing.T) {
	withProbe(t)
	folder := t.TempDir()
	if got := coterie("man", folder); got != (outcome{}) {
		t.Fatalf("got %+v, want success without a word", got)
	}
	for _, name := range []string{"coterie.1", "coterie-version.1", "coterie-probe.1", "coterie-coordinator.1", "coterie-worker.1", "coterie-status.1",
		"coterie-jobs.1", "coterie-jobs-list.1", "coterie-jobs-show.1", "coterie-jobs-cancel.1", "coterie-jobs-resume.1", "coterie-certs.1",
		"coterie-bench.1", "coterie-bench-roofline.1"} {
		page, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for number, line := range strings.Split(string(page), "\n") {
			if strings.HasPrefix(line, ".") && !strings.ContainsAny(line[1:2], "TSBnf") {
				t.Errorf("%s:%d: unknown macro in %q", name, number+1, line)
			}
		}
	}
	page, err := os.ReadFile(filepath.Join(folder, "coterie-probe.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`.B \-\-scale standard|minmax|robust|none`, "how to scale the features (default standard).", `.B \-o, \-\-output FILE`} {
		if !strings.Contains(string(page), want+"\n") {
			t.Errorf("the page lacks the line %q:\n%s", want, page)
		}
	}
	if got := coterie("man"); !strings.Contains(got.stdout, ".SH EXIT STATUS") {
		t.Errorf("got %+v, want the page of the program", got)
	}
	if got := coterie("man", filepath.Join(folder, "none")); got.code != 1 || !strings.Contains(got.stderr, "none") {
		t.Errorf("a missing folder: got %+v, want exit code 1", got)
	}
}

func TestRoffEscapesWhatItsMacrosWouldRead(t *testing.T) {
	got := roffText("a\\b -x\n.not a macro\n'nor this")
	if want := "a\\eb \\-x\n\\&.not a macro\n\\&'nor this"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNearestKnowsSlipsFromOtherWords(t *testing.T) {
	words := []string{"features", "seed", "scale", "k", "fit", "max-iter"}
	for word, want := range map[string]string{"feature": "features", "sede": "seed", "sclae": "scale", "max_iter": "max-iter", "maxiter": "max-iter",
		"fti": "fit", "cluster": "", "x": "", "SEED": "seed", "profile": ""} {
		if got := fault.Nearest(word, words); got != want {
			t.Errorf("nearest(%q): got %q, want %q", word, got, want)
		}
	}
}

func TestHelpGoesToStandardOutput(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"help"}, {"help", "version"}, {"version", "--help"}} {
		if got := coterie(args...); got.code != 0 || !strings.Contains(got.stdout, "Usage:") || got.stderr != "" {
			t.Errorf("coterie %v: got %+v, want help and exit code 0", args, got)
		}
	}
}

// TestASignalEndsTheProgram needs a process of its own: the test binary starts itself.
func TestASignalEndsTheProgram(t *testing.T) {
	if os.Getenv("SIGNAL_PROBE") != "" {
		p := withProbe(t)
		ctx, stop := interruptible(context.Background())
		defer stop()
		p.began = func() {
			fmt.Println("ready")
			<-ctx.Done()
			fmt.Println("ending")
			time.Sleep(50 * time.Millisecond) // the orderly end, in which a second signal falls
		}
		p.err = context.Canceled
		got := runWith(ctx, nil, "probe", "x")
		fmt.Print(got.stderr)
		os.Exit(got.code)
	}
	command := exec.Command(os.Args[0], "-test.run", "^TestASignalEndsTheProgram$")
	command.Env = append(os.Environ(), "SIGNAL_PROBE=1")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buffer := make([]byte, 4096)
	sent := 0
	for {
		n, err := out.Read(buffer)
		text.Write(buffer[:n])
		// Twice, as timeout(1) does: the second must not cut the orderly end short.
		if sent < 2 && strings.Contains(text.String(), []string{"ready", "ending"}[sent]) {
			sent++
			if err := command.Process.Signal(os.Interrupt); err != nil {
				t.Skipf("this system has no such signal: %v", err)
			}
		}
		if err != nil {
			break
		}
	}
	command.Wait()
	if code := command.ProcessState.ExitCode(); code != 130 || !strings.Contains(text.String(), "coterie: interrupted\n") {
		t.Errorf("got exit code %d and %q, want 130 and a line that says so", code, text.String())
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestSizesHaveUnits(t *testing.T) {
	for text, want := range map[string]int64{"4GiB": 4 << 30, "1 PiB": 1 << 50, "2p": 2 << 50, "1EiB": 1 << 60, "1pb": 1e15, "7": 7, "1e3kb": 1e6} {
		var got int64
		if err := newBytes(&got, 0, 1).Set(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{"9EiB": "is too large", "1e": "is not a size", "much": "is not a size", "0": "must be at least"} {
		var got int64
		if err := newBytes(&got, 0, 1).Set(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
