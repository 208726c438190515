// Package check holds deploy/ against what it is for: manifests are decoded strictly into the types of Kubernetes, what they
// name is there, every flag is one that the program has, and rules and dashboard ask for metrics that it exports. It is a
// module of its own, so that the product does not depend on Kubernetes.
package check
