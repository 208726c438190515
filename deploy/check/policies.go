package check

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// flow is traffic that a cluster needs.
type flow struct{ to, port string }

// flows are those among all pods of a cluster, both ways.
var flows = []flow{{"coordinator", "rpc"}, {"coordinator", "gossip"}, {"coordinator", "gossip-udp"}, {"worker", "rpc"}, {"worker", "gossip"}, {"worker", "gossip-udp"}}

// policies checks that NetworkPolicies, where there are any, let through what the cluster says to itself, submitters to the
// coordinator, and whoever reads metrics; and to a worker no submitter.
func (s *system) policies() {
	var all []*networkingv1.NetworkPolicy
	for _, o := range s.objects {
		if p, is := o.Value.(*networkingv1.NetworkPolicy); is {
			all = append(all, p)
			if len(s.selected(o, &p.Spec.PodSelector)) != 1 {
				s.wrong(o, "selects %v, want one workload", s.selected(o, &p.Spec.PodSelector))
			}
		}
	}
	if len(all) == 0 {
		return
	}
	for _, to := range s.objects {
		if setOf(to) == nil {
			continue
		}
		for _, from := range s.objects {
			if setOf(from) == nil {
				continue
			}
			for _, f := range flows {
				if f.to == command(podOf(to)) && !s.admits(all, podOf(from).Labels, to, f.port) {
					s.wrong(to, "no NetworkPolicy admits %s from %s", f.port, from)
				}
			}
		}
		somebody := map[string]string{"app": "somebody"}
		if !s.admits(all, somebody, to, "http") {
			s.wrong(to, "nobody can read its metrics")
		}
		if got, want := s.admits(all, somebody, to, "rpc"), command(podOf(to)) == "coordinator"; got != want {
			s.wrong(to, "submitters are admitted: %v, want %v", got, want)
		}
	}
}

// admits says whether pods with labels, in the same namespace, reach a named port of a workload.
func (s *system) admits(all []*networkingv1.NetworkPolicy, from map[string]string, to *Object, name string) bool {
	at := port(&podOf(to).Spec.Containers[0], intstr.FromString(name))
	if at == nil {
		return false
	}
	chosen := false
	for _, p := range all {
		if !matches(&p.Spec.PodSelector, podOf(to).Labels) {
			continue
		}
		chosen = true
		for _, rule := range p.Spec.Ingress {
			if rulePort(rule.Ports, at) && rulePeer(rule.From, from) {
				return true
			}
		}
	}
	return !chosen // who is chosen by none is open
}

func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	match, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && match.Matches(labels.Set(set))
}

func rulePort(ports []networkingv1.NetworkPolicyPort, at *corev1.ContainerPort) bool {
	for _, p := range ports {
		kind := corev1.ProtocolTCP
		if p.Protocol != nil {
			kind = *p.Protocol
		}
		if kind == protocol(at.Protocol) && (p.Port == nil || p.Port.StrVal == at.Name || p.Port.IntVal == at.ContainerPort) {
			return true
		}
	}
	return len(ports) == 0
}

func rulePeer(peers []networkingv1.NetworkPolicyPeer, from map[string]string) bool {
	for _, p := range peers {
		if p.NamespaceSelector == nil && p.PodSelector != nil && matches(p.PodSelector, from) {
			return true
		}
	}
	return len(peers) == 0
}
