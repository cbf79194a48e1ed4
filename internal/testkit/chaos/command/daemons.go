package command

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"galaxy/rtmanager/internal/loopback"
	"galaxy/rtmanager/internal/testkit/chaos/traffic"
)

// credentials are how a client proves its identity to the daemons.
type credentials struct{ caFile, certFile, keyFile, tokenFile string }

// client returns the HTTP client with the credentials.
func (c credentials) client(daemons []traffic.Daemon) (*http.Client, error) {
	config, err := tlsConfig(c.caFile, c.certFile, c.keyFile)
	if err != nil {
		return nil, err
	}
	transport := &authorizer{transport: &http.Transport{MaxIdleConnsPerHost: 64, TLSClientConfig: config, ForceAttemptHTTP2: true}}
	if c.tokenFile != "" {
		token, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("read the token: %w", err)
		}
		transport.token = strings.TrimSpace(string(token))
		for _, d := range daemons {
			if parsed, err := url.Parse(d.URL); err != nil || parsed.Scheme != "https" && !loopback.IsHost(parsed.Hostname()) {
				return nil, fmt.Errorf("the token would be sent without encryption to %s: use https", d.URL)
			}
		}
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// tlsConfig returns the TLS settings of a client, nil without files.
func tlsConfig(caFile, certFile, keyFile string) (*tls.Config, error) {
	if caFile == "" && certFile == "" && keyFile == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		content, err := os.ReadFile(caFile) //nolint:gosec // a file of the operator
		if err != nil {
			return nil, fmt.Errorf("read the CA certificates: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("file %s has no certificate", caFile)
		}
	}
	if certFile != "" || keyFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// authorizer adds the token to requests.
type authorizer struct {
	transport *http.Transport
	token     string
}

// RoundTrip implements http.RoundTripper.
func (a *authorizer) RoundTrip(request *http.Request) (*http.Response, error) {
	if a.token != "" {
		request = request.Clone(request.Context())
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	return a.transport.RoundTrip(request)
}

// CloseIdleConnections implements what http.Client.CloseIdleConnections calls.
func (a *authorizer) CloseIdleConnections() { a.transport.CloseIdleConnections() }

// request sends a request with a JSON body; nil means no body. Every status is a result; the error is
// that of a request without a complete response.
func request(ctx context.Context, client *http.Client, method, address string, body any) (status int, content []byte, err error) {
	var encoded io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		encoded = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, encoded)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	content, err = io.ReadAll(resp.Body)
	return resp.StatusCode, content, err
}

// identity is what a daemon states about itself.
type identity struct {
	StoreID string `json:"store_id"`
	Version string `json:"version"`
	Region  string `json:"region"`
	Node    string `json:"node"`
}

// identify returns what each daemon states about itself. It fails if one does not respond, if it is
// another one than the operator assumes, or if the daemons have different stores.
func identify(ctx context.Context, client *http.Client, daemons []traffic.Daemon) ([]identity, error) {
	var all []identity
	for _, d := range daemons {
		status, content, err := request(ctx, client, http.MethodGet, d.URL+"/v1/cluster", nil)
		if err != nil {
			return nil, fmt.Errorf("reach daemon %s: %w", d.Name(), err)
		}
		var found identity
		if err := json.Unmarshal(content, &found); status != http.StatusOK || err != nil {
			return nil, fmt.Errorf("reach daemon %s: %s/v1/cluster responded with %d: %.200s", d.Name(), d.URL, status, content)
		}
		if found.Region != d.Region || found.Node != d.Node {
			return nil, fmt.Errorf("the daemon at %s is %s/%s, not %s", d.URL, found.Region, found.Node, d.Name())
		}
		if all = append(all, found); found.StoreID != all[0].StoreID {
			return nil, errors.New("the daemons " + daemons[0].Name() + " and " + d.Name() + " have different stores: a run is on one store")
		}
	}
	return all, nil
}
