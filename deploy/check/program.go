package check

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// Program is the binary that deploy/ is for.
type Program struct {
	path string

	mu    sync.Mutex
	flags map[string]map[string]bool // by command
}

// NewProgram takes the binary that COTERIE_BIN names, or builds one into folder from the checkout at root.
func NewProgram(root, folder string) (*Program, error) {
	p := &Program{path: os.Getenv("COTERIE_BIN"), flags: make(map[string]map[string]bool)}
	if p.path != "" {
		return p, nil
	}
	p.path = filepath.Join(folder, "coterie")
	build := exec.Command("go", "build", "-o", p.path, "./cmd/coterie")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build ./cmd/coterie: %w\n%s", err, out)
	}
	return p, nil
}

var flagLine = regexp.MustCompile(`(?m)^\s+(?:-\w, )?--([a-z][a-z0-9-]*)`)

// Flags are the names of the flags that a command has, as its help says.
func (p *Program) Flags(command string) (map[string]bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.flags[command]; known != nil {
		return known, nil
	}
	out, err := exec.Command(p.path, command, "--help").Output()
	if err != nil {
		return nil, fmt.Errorf("coterie %s --help: %w", command, err)
	}
	_, list, _ := bytes.Cut(out, []byte("\nFlags:\n"))
	found := make(map[string]bool)
	for _, match := range flagLine.FindAllSubmatch(list, -1) {
		found[string(match[1])] = true
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("coterie %s --help names no flags", command)
	}
	p.flags[command] = found
	return found, nil
}

// Problems are what is wrong with the arguments and the environment of one process: commands and flags that the program
// does not have.
func (p *Program) Problems(args []string, env map[string]string) []string {
	if len(args) == 0 {
		return []string{"no command"}
	}
	flags, err := p.Flags(args[0])
	if err != nil {
		return []string{err.Error()}
	}
	var wrong []string
	for _, arg := range args[1:] {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if strings.HasPrefix(arg, "--") && !flags[name] {
			wrong = append(wrong, fmt.Sprintf("coterie %s has no flag --%s", args[0], name))
		}
	}
	for name := range env {
		setting, ours := strings.CutPrefix(name, "COTERIE_")
		if flag := strings.ReplaceAll(strings.ToLower(setting), "_", "-"); ours && !flags[flag] {
			wrong = append(wrong, fmt.Sprintf("%s: coterie %s has no flag --%s", name, args[0], flag))
		}
	}
	return wrong
}

// Setting is the value of a flag: from the arguments, else from the environment; empty if it stands in neither.
func Setting(name string, args []string, env map[string]string) string {
	for _, arg := range args {
		if flag, value, has := strings.Cut(arg, "="); flag == "--"+name {
			if !has {
				return "true"
			}
			return value
		}
	}
	return env["COTERIE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))]
}
