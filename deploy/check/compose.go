package check

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Compose is the part of the compose specification that deploy/compose.yaml uses, and may use: other keys are errors.
type Compose struct {
	Name     string                    `json:"name"`
	Common   any                       `json:"x-common"`
	Worker   any                       `json:"x-worker"`
	Services map[string]ComposeService `json:"services"`
	Networks map[string]struct{}       `json:"networks"`
	Volumes  map[string]struct{}       `json:"volumes"`
	Secrets  map[string]struct {
		File string `json:"file"`
	} `json:"secrets"`
}

// ComposeService is one process of it.
type ComposeService struct {
	Image           string            `json:"image"`
	User            string            `json:"user"`
	Hostname        string            `json:"hostname"`
	ReadOnly        bool              `json:"read_only"`
	CapDrop         []string          `json:"cap_drop"`
	SecurityOpt     []string          `json:"security_opt"`
	Restart         string            `json:"restart"`
	StopGracePeriod string            `json:"stop_grace_period"`
	Networks        []string          `json:"networks"`
	MemLimit        string            `json:"mem_limit"`
	Tmpfs           []string          `json:"tmpfs"`
	Command         []string          `json:"command"`
	Environment     map[string]string `json:"environment"`
	Secrets         []string          `json:"secrets"`
	Ports           []string          `json:"ports"`
	Volumes         []any             `json:"volumes"`
	Healthcheck     struct {
		Test        []string `json:"test"`
		Interval    string   `json:"interval"`
		Timeout     string   `json:"timeout"`
		Retries     int      `json:"retries"`
		StartPeriod string   `json:"start_period"`
	} `json:"healthcheck"`
	DependsOn map[string]struct {
		Condition string `json:"condition"`
	} `json:"depends_on"`
}

// ComposeProblems decodes a compose file strictly and says what in it is wrong.
func ComposeProblems(text []byte, program *Program) []string {
	var c Compose
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return []string{err.Error()}
	}
	var all []string
	for name, s := range c.Services {
		for _, problem := range c.service(name, &s, program) {
			all = append(all, name+": "+problem)
		}
	}
	if len(c.Services) != 4 {
		all = append(all, fmt.Sprintf("%d services, want a coordinator and three workers", len(c.Services)))
	}
	return all
}

func (c *Compose) service(name string, s *ComposeService, program *Program) []string {
	all := program.Problems(s.Command, s.Environment)
	wrong := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.SecurityOpt) != 1 || s.User == "" {
		wrong("may write to its root, or has rights that it does not need")
	}
	if s.Hostname != name || Setting("advertise", s.Command, s.Environment) != name || Setting("name", s.Command, s.Environment) != name {
		wrong("is not called so everywhere: its certificate holds for one name")
	}
	for _, secret := range s.Secrets {
		if _, there := c.Secrets[secret]; !there {
			wrong("secret %q is not there", secret)
		}
	}
	for _, flag := range []string{"tls-cert", "tls-key", "tls-ca", "gossip-key"} {
		file := Setting(flag, s.Command, s.Environment)
		if path.Dir(file) != "/run/secrets" || !slices.Contains(s.Secrets, path.Base(file)) {
			wrong("--%s %q is none of its secrets", flag, file)
		}
	}
	for to := range s.DependsOn {
		if _, there := c.Services[to]; !there {
			wrong("depends on %q, which is not there", to)
		}
	}
	for _, host := range hostsOf(Setting("join", s.Command, s.Environment)) {
		if _, there := c.Services[host]; host != "" && !there {
			wrong("joins %q, which is not there", host)
		}
	}
	_, port, _ := strings.Cut(Setting("http", s.Command, s.Environment), ":")
	if want := []string{"CMD", "/coterie", "health", "127.0.0.1:" + port}; !slices.Equal(s.Healthcheck.Test, want) {
		wrong("asks for its health by %q, want %q", s.Healthcheck.Test, want)
	}
	return all
}
