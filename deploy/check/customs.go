package check

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// customs are the custom resources that the chart may make, with the fields that it uses: of other projects, whose whole
// types would bring their whole modules.
var customs = map[string]func() any{
	"cert-manager.io/v1 Certificate":          func() any { return new(Certificate) },
	"keda.sh/v1alpha1 ScaledObject":           func() any { return new(ScaledObject) },
	"monitoring.coreos.com/v1 PodMonitor":     func() any { return new(PodMonitor) },
	"monitoring.coreos.com/v1 PrometheusRule": func() any { return new(PrometheusRule) },
}

type head struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
}

// Certificate is one of cert-manager.
type Certificate struct {
	head `json:",inline"`
	Spec struct {
		SecretName  string          `json:"secretName"`
		Duration    metav1.Duration `json:"duration"`
		RenewBefore metav1.Duration `json:"renewBefore"`
		PrivateKey  struct {
			Algorithm      string `json:"algorithm"`
			Size           int    `json:"size"`
			RotationPolicy string `json:"rotationPolicy"`
		} `json:"privateKey"`
		Usages    []string `json:"usages"`
		URIs      []string `json:"uris"`
		DNSNames  []string `json:"dnsNames"`
		IssuerRef struct {
			Name  string `json:"name"`
			Kind  string `json:"kind"`
			Group string `json:"group"`
		} `json:"issuerRef"`
	} `json:"spec"`
}

// ScaledObject is one of KEDA. It has no cooldownPeriod here: that only counts on the way to zero replicas.
type ScaledObject struct {
	head `json:",inline"`
	Spec struct {
		ScaleTargetRef  target `json:"scaleTargetRef"`
		MinReplicaCount int    `json:"minReplicaCount"`
		MaxReplicaCount int    `json:"maxReplicaCount"`
		Advanced        struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior"`
			} `json:"horizontalPodAutoscalerConfig"`
		} `json:"advanced"`
		Triggers []struct {
			Type     string            `json:"type"`
			Metadata map[string]string `json:"metadata"`
		} `json:"triggers"`
	} `json:"spec"`
}

type target struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
}

// PodMonitor is one of the Prometheus operator.
type PodMonitor struct {
	head `json:",inline"`
	Spec struct {
		Selector            metav1.LabelSelector `json:"selector"`
		PodMetricsEndpoints []struct {
			Port        string `json:"port"`
			Interval    string `json:"interval"`
			Relabelings []struct {
				TargetLabel string `json:"targetLabel"`
				Replacement string `json:"replacement"`
			} `json:"relabelings"`
		} `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

// PrometheusRule is one of the Prometheus operator; its spec is what a file of rules holds.
type PrometheusRule struct {
	head `json:",inline"`
	Spec Rules `json:"spec"`
}

// Pods gives the pods that an object describes: its template and labels; nil for objects that run nothing.
func podOf(o *Object) *corev1.PodTemplateSpec {
	switch v := o.Value.(type) {
	case *corev1.Pod:
		return &corev1.PodTemplateSpec{ObjectMeta: v.ObjectMeta, Spec: v.Spec}
	default:
		if set := setOf(o); set != nil {
			return &set.Spec.Template
		}
		return nil
	}
}
