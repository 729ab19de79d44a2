//go:build tools

// Package kubernetes makes go.mod and go.sum pin what the Kubernetes API server is built from.
package kubernetes

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
