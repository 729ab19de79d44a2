//go:build tools

// Package etcd makes go.mod and go.sum pin what etcd is built from.
package etcd

import _ "go.etcd.io/etcd/server/v3"
