package check

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// system is a set of manifests that are applied together.
type system struct {
	objects  []*Object
	program  *Program
	problems []string
}

// Problems are what is wrong with manifests that are decoded well: what is named and not there, and what leaves a process
// more rights than it needs. None is how it should be.
func Problems(objects []*Object, program *Program) []string {
	s := &system{objects: objects, program: program}
	seen := make(map[string]bool)
	for _, o := range objects {
		if seen[o.String()] {
			s.wrong(o, "is there twice")
		}
		seen[o.String()] = true
		if pod := podOf(o); pod != nil {
			s.pod(o, pod)
		}
		switch v := o.Value.(type) {
		case *appsv1.StatefulSet:
			s.set(o, v)
		case *corev1.Service:
			s.service(o, v)
		case *policyv1.PodDisruptionBudget:
			s.budget(o, v)
		case *autoscalingv2.HorizontalPodAutoscaler:
			s.scaled(o, target{v.Spec.ScaleTargetRef.APIVersion, v.Spec.ScaleTargetRef.Kind, v.Spec.ScaleTargetRef.Name}, v.Spec.Behavior)
		case *ScaledObject:
			s.scaled(o, v.Spec.ScaleTargetRef, v.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior)
		case *PodMonitor:
			s.monitored(o, v)
		}
	}
	s.policies()
	return s.problems
}

func (s *system) wrong(o *Object, format string, args ...any) {
	s.problems = append(s.problems, o.String()+": "+fmt.Sprintf(format, args...))
}

func setOf(o *Object) *appsv1.StatefulSet { set, _ := o.Value.(*appsv1.StatefulSet); return set }

// find is the object of a kind and name, nil if there is none.
func (s *system) find(kind, name string) *Object {
	for _, o := range s.objects {
		if o.Kind == kind && o.Meta.Name == name {
			return o
		}
	}
	return nil
}

// selected are the workloads whose pods a selector matches.
func (s *system) selected(o *Object, selector *metav1.LabelSelector) []*Object {
	match, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		s.wrong(o, "selector: %v", err)
		return nil
	}
	var found []*Object
	for _, w := range s.objects {
		if setOf(w) != nil && match.Matches(labels.Set(podOf(w).Labels)) {
			found = append(found, w)
		}
	}
	return found
}

// set checks what a StatefulSet says of itself.
func (s *system) set(o *Object, set *appsv1.StatefulSet) {
	if got := s.selected(o, set.Spec.Selector); len(got) != 1 || got[0] != o {
		s.wrong(o, "its selector matches %v, want just its own pods", got)
	}
	governing := s.find("Service", set.Spec.ServiceName)
	if governing == nil {
		s.wrong(o, "serviceName %q: there is no such Service", set.Spec.ServiceName)
	} else if governing.Value.(*corev1.Service).Spec.ClusterIP != corev1.ClusterIPNone {
		s.wrong(o, "serviceName %q is not headless", set.Spec.ServiceName)
	}
	if set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement {
		s.wrong(o, "podManagementPolicy: want Parallel: else a pod that is never ready has to be deleted by hand")
	}
	if grace := set.Spec.Template.Spec.TerminationGracePeriodSeconds; grace == nil || *grace < 15 {
		s.wrong(o, "terminationGracePeriodSeconds: a worker needs ten seconds to finish, and some to leave")
	}
	main := set.Spec.Template.Spec.Containers[0]
	for _, name := range []string{"rpc", "gossip", "gossip-udp", "http"} {
		if port(&main, intstr.FromString(name)) == nil {
			s.wrong(o, "has no port %s", name)
		}
	}
	for what, probe := range map[string]*corev1.Probe{"startupProbe": main.StartupProbe, "livenessProbe": main.LivenessProbe, "readinessProbe": main.ReadinessProbe} {
		want := map[string]string{"readinessProbe": "/readyz"}[what]
		switch {
		case probe == nil || probe.HTTPGet == nil:
			s.wrong(o, "has no %s over HTTP", what)
		case port(&main, probe.HTTPGet.Port) == nil || port(&main, probe.HTTPGet.Port).Name != "http":
			s.wrong(o, "%s points to port %s, want http", what, probe.HTTPGet.Port.String())
		case want != "" && probe.HTTPGet.Path != want || want == "" && probe.HTTPGet.Path != "/healthz":
			s.wrong(o, "%s asks %s", what, probe.HTTPGet.Path)
		}
	}
}

// port is the port of a container by name or number.
func port(c *corev1.Container, which intstr.IntOrString) *corev1.ContainerPort {
	i := slices.IndexFunc(c.Ports, func(p corev1.ContainerPort) bool {
		return which.Type == intstr.String && p.Name == which.StrVal || which.Type == intstr.Int && p.ContainerPort == which.IntVal
	})
	if i < 0 {
		return nil
	}
	return &c.Ports[i]
}

func (s *system) service(o *Object, v *corev1.Service) {
	behind := s.selected(o, &metav1.LabelSelector{MatchLabels: v.Spec.Selector})
	if len(v.Spec.Selector) == 0 || len(behind) != 1 {
		s.wrong(o, "selects %v, want one workload", behind)
		return
	}
	for _, p := range v.Spec.Ports {
		at := port(&podOf(behind[0]).Spec.Containers[0], p.TargetPort)
		if at == nil {
			s.wrong(o, "port %s leads to %s, which %s does not have", p.Name, p.TargetPort.String(), behind[0])
			continue
		}
		if protocol(p.Protocol) != protocol(at.Protocol) {
			s.wrong(o, "port %s is %s, and %s of %s is %s", p.Name, protocol(p.Protocol), at.Name, behind[0], protocol(at.Protocol))
		}
		if v.Spec.Type != "" && v.Spec.Type != corev1.ServiceTypeClusterIP && at.Name == "http" {
			s.wrong(o, "shows metrics and the page beyond the cluster, where anybody may read them")
		}
		if v.Spec.ClusterIP == corev1.ClusterIPNone && p.Port != at.ContainerPort {
			s.wrong(o, "port %s is %d and leads to %d: headless services do not translate", p.Name, p.Port, at.ContainerPort)
		}
	}
}

func protocol(p corev1.Protocol) corev1.Protocol {
	if p == "" {
		return corev1.ProtocolTCP
	}
	return p
}

func (s *system) budget(o *Object, v *policyv1.PodDisruptionBudget) {
	if got := s.selected(o, v.Spec.Selector); len(got) != 1 || command(podOf(got[0])) != "worker" {
		s.wrong(o, "selects %v, want the workers", got)
	}
}

// command is what the program is asked to be in a pod.
func command(pod *corev1.PodTemplateSpec) string {
	if args := pod.Spec.Containers[0].Args; len(args) > 0 {
		return args[0]
	}
	return ""
}

// scaled: without rules of its own an autoscaler takes all surplus workers away at once, and what they hold is read anew.
func (s *system) scaled(o *Object, to target, behavior *autoscalingv2.HorizontalPodAutoscalerBehavior) {
	if behavior == nil || behavior.ScaleDown == nil || behavior.ScaleDown.StabilizationWindowSeconds == nil || !oneAtATime(behavior.ScaleDown.Policies) {
		s.wrong(o, "takes workers away at once: want behavior.scaleDown with a window, and a policy of one pod")
	}
	if found := s.find(to.Kind, to.Name); found == nil {
		s.wrong(o, "scales %s/%s, which is not there", to.Kind, to.Name)
	} else if set := setOf(found); set != nil && set.Spec.Replicas != nil {
		s.wrong(o, "%s says how many there are, and so would undo what is scaled", found)
	}
}

func oneAtATime(policies []autoscalingv2.HPAScalingPolicy) bool {
	return len(policies) == 1 && policies[0].Type == autoscalingv2.PodsScalingPolicy && policies[0].Value == 1
}

func (s *system) monitored(o *Object, v *PodMonitor) {
	for _, w := range s.selected(o, &v.Spec.Selector) {
		for _, e := range v.Spec.PodMetricsEndpoints {
			if port(&podOf(w).Spec.Containers[0], intstr.FromString(e.Port)) == nil {
				s.wrong(o, "port %s is none of %s", e.Port, w)
			}
		}
	}
	if got := len(s.selected(o, &v.Spec.Selector)); got != 2 {
		s.wrong(o, "selects %d workloads, want coordinator and workers", got)
	}
}

// hostsOf are the hosts of a list of HOST:PORT.
func hostsOf(list string) []string {
	var hosts []string
	for _, address := range strings.Split(list, ",") {
		host, _, _ := strings.Cut(address, ":")
		hosts = append(hosts, host)
	}
	return hosts
}
