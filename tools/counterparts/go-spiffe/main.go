// Command go-spiffe-client follows the Workload API with go-spiffe, serves and calls itself over mutual TLS with what it
// holds, a connection for each request, and prints what it has seen as one JSON object.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type seen struct {
	// Of the certificates that the server showed, in base 16, in order.
	Serials  []string `json:"serials"`
	IDs      []string `json:"ids"`
	Requests int      `json:"requests"`
	Fetches  int      `json:"fetches"`
	// What the stream of X.509 contexts brought, and what it failed with.
	Updates int      `json:"updates"`
	Errors  []string `json:"errors"`
	// The gRPC code that a JWT-SVID is refused with.
	Jwt string `json:"jwt"`
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string) error {
	rotations, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	client, err := workloadapi.New(ctx, workloadapi.WithAddr(address))
	if err != nil {
		return err
	}
	defer client.Close()
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClient(client))
	if err != nil {
		return err
	}
	defer source.Close()
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	watcher := &contexts{}
	watched := make(chan error, 1)
	go func() { watched <- client.WatchX509Context(watching, watcher) }()
	found := &seen{Serials: []string{}, IDs: []string{}, Errors: []string{}}
	if err := callThroughRotations(ctx, source, rotations, func(round int) error {
		if round%10 != 0 {
			return nil
		}
		found.Fetches++
		return fetchAll(ctx, client, found)
	}, found); err != nil {
		return err
	}
	_, err = client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: "somebody"})
	found.Jwt = status.Code(err).String()
	stopWatching()
	<-watched
	found.Updates, found.Errors = watcher.updates, append(found.Errors, watcher.errors...)
	return json.NewEncoder(os.Stdout).Encode(found)
}

// Requests by one identity to itself until it has changed that often.
func callThroughRotations(ctx context.Context, source *workloadapi.X509Source, rotations int, each func(int) error, found *seen) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		TLSConfig: tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeAny()),
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }),
	}
	go server.ServeTLS(listener, "", "")
	defer server.Close()
	caller := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeAny()),
	}}
	for len(found.Serials) <= rotations {
		if err := each(found.Requests); err != nil {
			return err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+listener.Addr().String(), nil)
		if err != nil {
			return err
		}
		response, err := caller.Do(request)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || string(body) != "hello" {
			return fmt.Errorf("status %d, %q, %w", response.StatusCode, body, err)
		}
		found.Requests++
		shown := response.TLS.PeerCertificates[0]
		found.Serials = added(found.Serials, shown.SerialNumber.Text(16))
		found.IDs = added(found.IDs, shown.URIs[0].String())
	}
	return nil
}

// Everything that is asked for once, in calls of their own.
func fetchAll(ctx context.Context, client *workloadapi.Client, found *seen) error {
	svid, err := client.FetchX509SVID(ctx)
	if err != nil {
		return err
	}
	found.IDs = added(found.IDs, svid.ID.String())
	var bundles *x509bundle.Set
	if bundles, err = client.FetchX509Bundles(ctx); err != nil {
		return err
	}
	_, err = bundles.GetX509BundleForTrustDomain(svid.ID.TrustDomain())
	return err
}

func added(to []string, one string) []string {
	if slices.Contains(to, one) {
		return to
	}
	return append(to, one)
}

type contexts struct {
	updates int
	errors  []string
}

func (c *contexts) OnX509ContextUpdate(*workloadapi.X509Context) { c.updates++ }

func (c *contexts) OnX509ContextWatchError(err error) {
	// The end of the watch is no failure of it.
	if status.Code(err) != codes.Canceled && !errors.Is(err, context.Canceled) {
		c.errors = append(c.errors, err.Error())
	}
}
