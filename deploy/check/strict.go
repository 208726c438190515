package check

import (
	"bytes"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"
)

// Object is one decoded document.
type Object struct {
	Kind string
	Meta metav1.ObjectMeta
	// Value is the typed object: *appsv1.StatefulSet and so on, or one of the custom resources below.
	Value any
	// JSON is the document, for whoever sends it on.
	JSON []byte
}

// String is Kind/name.
func (o *Object) String() string { return o.Kind + "/" + o.Meta.Name }

var decoder = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, autoscalingv2.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // a library at odds with itself
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// Decode decodes a stream of YAML documents. Unknown kinds and fields, wrong types and keys that stand twice are errors,
// each with the kind and name of its document; all documents are looked at.
func Decode(text []byte) ([]*Object, error) {
	var all []*Object
	var wrong []string
	for _, document := range bytes.Split(append([]byte("\n"), text...), []byte("\n---")) {
		if _, after, cut := bytes.Cut(document, []byte("\n")); cut {
			document = after // the rest of the line of dashes
		}
		var any map[string]any
		if err := yaml.Unmarshal(document, &any); err == nil && any == nil {
			continue // comments alone
		}
		object, err := decodeOne(document)
		if err != nil {
			wrong = append(wrong, err.Error())
			continue
		}
		all = append(all, object)
	}
	if len(wrong) > 0 {
		return all, fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return all, nil
}

func decodeOne(document []byte) (*Object, error) {
	var head struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return nil, fmt.Errorf("no object: %w", err)
	}
	o := &Object{Kind: head.Kind, Meta: head.ObjectMeta}
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o, err)
	}
	o.JSON = text
	if make, custom := customs[head.APIVersion+" "+head.Kind]; custom {
		o.Value = make()
		if err := yaml.UnmarshalStrict(document, o.Value); err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		return o, nil
	}
	value, _, err := decoder.Decode(document, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o, err)
	}
	o.Value = value
	return o, nil
}
