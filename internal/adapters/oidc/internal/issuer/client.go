package issuer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"galaxy/rtmanager/internal/loopback"
	"galaxy/rtmanager/internal/tlsfiles"
)

const (
	// requestTimeout bounds one request, including its body.
	requestTimeout = 5 * time.Second
	// maxDocumentBytes bounds the size of a response.
	maxDocumentBytes = 512 << 10
)

// Client fetches the documents of one issuer. It is safe for concurrent use.
type Client struct {
	url    string
	caFile string
}

// New returns a client of the issuer. The CA certificates in caFile, read for each request,
// verify it; empty selects those of the system. New sends no request. It fails if the URL
// is not valid for an issuer, or if the file is not.
func New(issuerURL, caFile string) (*Client, error) {
	if err := ValidateURL(issuerURL); err != nil {
		return nil, err
	}
	if _, err := loadCAs(caFile); err != nil {
		return nil, err
	}
	return &Client{url: issuerURL, caFile: caFile}, nil
}

// ValidateURL returns an error unless the text is an https URL, or an http URL of a loopback
// host, without user, query and fragment.
func ValidateURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%.200q is not a URL such as https://login.example.com", text)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Errorf("%q has a user, a query or a fragment", u.Redacted())
	case u.Scheme == "http" && !loopback.IsHost(u.Hostname()):
		return fmt.Errorf("%q uses http, which does not protect its keys; use https", text)
	}
	return nil
}

// HTTPClient returns a client for one request or a few: it reads the CA file, follows no
// redirects, and keeps no idle connections.
func (c *Client) HTTPClient() (*http.Client, error) {
	roots, err := loadCAs(c.caFile)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{
		Transport: transport, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// loadCAs returns the certificates of a PEM file, and nil without a file.
func loadCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pool, err := tlsfiles.OpenPool(file, nil)
	if err != nil {
		return nil, fmt.Errorf("the issuer's authorities: %w", err)
	}
	return pool.Current(), nil
}

// getJSON fetches a document into target.
func (c *Client) getJSON(ctx context.Context, address string, target any) error {
	client, err := c.HTTPClient()
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return fmt.Errorf("get %.200q: not a URL", address)
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: the response is %d, not 200", address, response.StatusCode)
	}
	body, err := ReadBody(response)
	if err != nil {
		return fmt.Errorf("get %s: %w", address, err)
	}
	if json.Unmarshal(body, target) != nil {
		return fmt.Errorf("get %s: the response is not the expected JSON document", address)
	}
	return nil
}

// ReadBody reads the body of a response. It fails if the body is too large.
func ReadBody(response *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocumentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the response: %w", err)
	}
	if len(body) > maxDocumentBytes {
		return nil, errors.New("the response is too large")
	}
	return body, nil
}
