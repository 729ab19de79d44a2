//go:build tools

// Package vault makes go.mod and go.sum pin what Vault is built from.
package vault

import _ "github.com/hashicorp/vault"
