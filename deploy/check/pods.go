package check

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// pod checks what runs: its rights, its volumes, its flags.
func (s *system) pod(o *Object, pod *corev1.PodTemplateSpec) {
	spec := &pod.Spec
	rights := spec.SecurityContext
	switch {
	case rights == nil || rights.RunAsNonRoot == nil || !*rights.RunAsNonRoot:
		s.wrong(o, "may run as root")
	case rights.SeccompProfile == nil || rights.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
		s.wrong(o, "has no seccomp profile")
	}
	if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		s.wrong(o, "gets a token of its service account")
	}
	if spec.EnableServiceLinks == nil || *spec.EnableServiceLinks {
		s.wrong(o, "gets variables of services, and those of one called coterie would be taken for settings")
	}
	if name := spec.ServiceAccountName; name != "default" && s.find("ServiceAccount", name) == nil {
		s.wrong(o, "ServiceAccount %q is not there", name)
	}
	for i := range spec.Containers {
		c := &spec.Containers[i]
		rights := c.SecurityContext
		if rights == nil || rights.ReadOnlyRootFilesystem == nil || !*rights.ReadOnlyRootFilesystem || rights.AllowPrivilegeEscalation == nil ||
			*rights.AllowPrivilegeEscalation || rights.Capabilities == nil || !slices.Equal(rights.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			s.wrong(o, "container %s may write to its root, or has capabilities", c.Name)
		}
		s.container(o, spec, c)
	}
	s.volumes(o, spec)
}

// volumes are all mounted, and what is mounted is there.
func (s *system) volumes(o *Object, spec *corev1.PodSpec) {
	there := make(map[string]bool)
	for _, v := range spec.Volumes {
		there[v.Name] = false
	}
	if set := setOf(o); set != nil {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			there[claim.Name] = false
		}
	}
	for _, c := range spec.Containers {
		for _, m := range c.VolumeMounts {
			if _, known := there[m.Name]; !known {
				s.wrong(o, "mounts %q, which is no volume", m.Name)
			}
			there[m.Name] = true
		}
	}
	for name, mounted := range there {
		if !mounted {
			s.wrong(o, "volume %q is not mounted", name)
		}
	}
}

var reference = regexp.MustCompile(`\$\(([A-Za-z0-9_]+)\)`)

// container checks arguments and environment.
func (s *system) container(o *Object, spec *corev1.PodSpec, c *corev1.Container) {
	env := s.environment(o, c)
	for _, problem := range s.program.Problems(c.Args, env) {
		s.wrong(o, "%s", problem)
	}
	for _, arg := range c.Args {
		for _, m := range reference.FindAllStringSubmatch(arg, -1) {
			if _, known := env[m[1]]; !known {
				s.wrong(o, "%s: no variable %s", arg, m[1])
			}
		}
	}
	for _, flag := range []string{"tls-cert", "tls-key", "tls-ca", "gossip-key"} {
		if file := Setting(flag, c.Args, env); file != "" && s.secretAt(spec, c, file) == "" {
			s.wrong(o, "--%s %s is in no Secret that is mounted", flag, file)
		}
	}
	if tls, open := Setting("tls-cert", c.Args, env) != "", Setting("insecure", c.Args, env) == "true"; setOf(o) != nil && tls == open {
		s.wrong(o, "--tls-cert and --insecure: want one of them")
	}
	for _, flag := range []string{"state", "spill", "data-root"} {
		for _, folder := range strings.Split(Setting(flag, c.Args, env), ",") {
			if strings.HasPrefix(folder, "/") && !mounted(c, folder) {
				s.wrong(o, "--%s %s is on the root, which cannot be written to", flag, folder)
			}
		}
	}
	for _, host := range hostsOf(Setting("join", c.Args, env)) {
		if host != "" && s.find("Service", host) == nil {
			s.wrong(o, "--join %s: there is no such Service", host)
		}
	}
	if setOf(o) != nil {
		s.memory(o, c, env)
	}
}

// environment is that of a container, with the ConfigMaps that it takes in. Values that the cluster fills in are empty. A
// variable may only name such as stand before it.
func (s *system) environment(o *Object, c *corev1.Container) map[string]string {
	env := make(map[string]string)
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil {
			continue
		}
		found := s.find("ConfigMap", from.ConfigMapRef.Name)
		if found == nil {
			s.wrong(o, "ConfigMap %q is not there", from.ConfigMapRef.Name)
			continue
		}
		for name, value := range found.Value.(*corev1.ConfigMap).Data {
			env[name] = value
		}
	}
	for _, v := range c.Env {
		for _, m := range reference.FindAllStringSubmatch(v.Value, -1) {
			if _, known := env[m[1]]; !known {
				s.wrong(o, "%s=%s: %s does not stand before it", v.Name, v.Value, m[1])
			}
		}
		env[v.Name] = v.Value
	}
	return env
}

// secretAt is the Secret that a file of a container is in; empty: in none.
func (s *system) secretAt(spec *corev1.PodSpec, c *corev1.Container, file string) string {
	for _, m := range c.VolumeMounts {
		if m.MountPath != path.Dir(file) {
			continue
		}
		for _, v := range spec.Volumes {
			if v.Name == m.Name && v.Secret != nil {
				return v.Secret.SecretName
			}
		}
	}
	return ""
}

func mounted(c *corev1.Container, folder string) bool {
	return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
		return folder == m.MountPath || strings.HasPrefix(folder, m.MountPath+"/")
	})
}

// memory: partitions take less than the runtime may, and that less than the limit.
func (s *system) memory(o *Object, c *corev1.Container, env map[string]string) {
	limit := c.Resources.Limits.Memory().Value()
	if limit == 0 {
		return
	}
	own, err := size(Setting("memory", c.Args, env))
	if err != nil || own <= 0 || own > limit*8/10 {
		s.wrong(o, "--memory %q beside a limit of %d bytes: want at most 80 %% (%v)", Setting("memory", c.Args, env), limit, err)
	}
	runtime, err := size(env["GOMEMLIMIT"])
	if err != nil || runtime <= own || runtime > limit*95/100 {
		s.wrong(o, "GOMEMLIMIT %q: want it between --memory and 95 %% of %d bytes (%v)", env["GOMEMLIMIT"], limit, err)
	}
}

// size reads bytes as the program and the Go runtime write them: 6GiB, 512MiB, 1048576.
func size(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	short, cut := strings.CutSuffix(text, "iB")
	if !cut {
		return 0, fmt.Errorf("%q is no size", text)
	}
	q, err := resource.ParseQuantity(short + "i")
	return q.Value(), err
}
