// Command verify-chains reads a JSON list of chains from standard input and writes, for each, why crypto/x509 refuses
// it; an empty text means that it does not.
package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log"
	"os"
)

type question struct {
	Leaf          string
	Intermediates string
	Roots         string
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		log.Fatal(err)
	}
	answers := make([]string, 0, len(questions))
	for _, q := range questions {
		answers = append(answers, verify(q))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}

func verify(q question) string {
	block, _ := pem.Decode([]byte(q.Leaf))
	if block == nil {
		return "the leaf is not PEM"
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err.Error()
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(q.Roots)) {
		return "no root can be read"
	}
	intermediates.AppendCertsFromPEM([]byte(q.Intermediates))
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return err.Error()
	}
	return ""
}
