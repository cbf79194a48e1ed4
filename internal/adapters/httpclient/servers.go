package httpclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Server is one of the servers of a Client.
type Server struct {
	// URL is an http or https URL with a host, such as "http://127.0.0.1:8080".
	URL string
	// TLS is used in place of Credentials.TLS; nil selects that one.
	TLS *tls.Config
}

// failoverDialTimeout bounds an attempt to connect to one of several servers.
const failoverDialTimeout = 3 * time.Second

// NewFailover returns a client of several servers of one store, with the error of New. It uses the
// first server until a connection to it fails, then the next one, and stays with the server that
// responded last.
//
// A request is sent to the next server if it cannot have arrived, and a read also if its connection
// broke before the response, or if there was none within a quarter of Config.RequestTimeout. A write that may have arrived is retried by the rules of the package,
// which send it to the next server under the same idempotency key.
func NewFailover(servers []Server, cfg Config) (*Client, error) {
	if len(servers) == 0 {
		return nil, errors.New("there is no server address; use http://HOST:PORT or https://HOST:PORT")
	}
	endpoints := make([]endpoint, len(servers))
	for i, server := range servers {
		base, err := parseServerURL(server.URL)
		if err != nil {
			return nil, err
		}
		settings := cmp.Or(server.TLS, cfg.Credentials.TLS)
		endpoints[i] = endpoint{base: base, tls: settings, http: newHTTPClient(cfg, settings, len(servers) > 1)}
	}
	return newClient(endpoints, cfg), nil
}

// parseServerURL returns the URL of a server. The error does not have its user and password.
func parseServerURL(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	switch {
	case err != nil:
		// The parser's error would contain the whole address, with its password.
		return nil, fmt.Errorf("server address %q is not a URL; use http://HOST:PORT or https://HOST:PORT", redactUser(text))
	case base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "":
		return nil, fmt.Errorf("server address %q: use http://HOST:PORT or https://HOST:PORT", redactUser(text))
	case base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, fmt.Errorf("server address %q: must not have a query or a fragment", redactUser(text))
	}
	return base, nil
}

// endpoint is a server with its connections.
type endpoint struct {
	base *url.URL
	tls  *tls.Config // nil selects the default
	http *http.Client
}

// server returns the address of the current server, for messages.
func (c *Client) server() string { return c.endpoints[c.current.Load()].base.Redacted() }

// closeIdleConnections closes the idle connections to all servers.
func (c *Client) closeIdleConnections() {
	for _, e := range c.endpoints {
		e.http.CloseIdleConnections()
	}
}

// send sends the request to the current server, or to the next one that it can reach, and returns
// the response of any status. Every error is a *sendError, or a *credentialsError of a request that
// was not sent.
func (c *Client) send(ctx context.Context, request apiRequest) (response *http.Response, err error) {
	isRead, remaining := request.method == http.MethodGet, len(c.endpoints)
	err = c.tryServers(ctx, isRead, func(server endpoint) (err error) {
		if remaining--; isRead && remaining > 0 {
			response, err = c.sendBriefly(ctx, server, request) //nolint:bodyclose // the caller closes it
			return err
		}
		response, err = c.sendTo(ctx, server, request) //nolint:bodyclose // the caller closes it
		return err
	})
	return response, err
}

// sendBriefly is sendTo for a read that another server can serve: a server that accepts connections and does
// not respond gets a quarter of Config.RequestTimeout.
func (c *Client) sendBriefly(ctx context.Context, server endpoint, request apiRequest) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(c.cfg.RequestTimeout/4, cancel)
	response, err := c.sendTo(ctx, server, request)
	timer.Stop()
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = cancelingBody{response.Body, cancel}
	return response, nil
}

// cancelingBody ends the context of its request when it is closed.
type cancelingBody struct {
	io.ReadCloser

	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b cancelingBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// tryServers calls attempt for the current server, and for each other one while the request cannot
// have arrived. A request that isRepeatable is also sent to the next server after it may have
// arrived. The errors of attempt are those of send.
func (c *Client) tryServers(ctx context.Context, isRepeatable bool, attempt func(endpoint) error) error {
	first := int(c.current.Load())
	var failed failoverError
	for i := range c.endpoints {
		index := (first + i) % len(c.endpoints)
		err := attempt(c.endpoints[index])
		if err == nil {
			c.current.Store(int32(index)) //nolint:gosec // there are few servers
			return nil
		}
		sendErr, isSendError := errors.AsType[*sendError](err)
		if len(c.endpoints) == 1 || !isSendError || isCertificateAlert(err) {
			return err
		}
		if ctx.Err() != nil || sendErr.mayHaveArrived && !isRepeatable {
			// The next attempt, if there is one, must not wait for a server that does not respond.
			c.current.CompareAndSwap(int32(index), int32((index+1)%len(c.endpoints))) //nolint:gosec // as above
			return err
		}
		failed = append(failed, failedSend{c.endpoints[index].base.Redacted(), sendErr})
	}
	return &sendError{err: failed, mayHaveArrived: failed.mayHaveArrived()}
}

// failoverError is the errors of a request that no server has received, or that broke everywhere.
type failoverError []failedSend

type failedSend struct {
	server string
	err    *sendError
}

func (e failoverError) Error() string {
	texts := make([]string, len(e))
	for i, one := range e {
		texts[i] = one.server + ": " + one.err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e failoverError) Unwrap() []error {
	errs := make([]error, len(e))
	for i, one := range e {
		errs[i] = one.err
	}
	return errs
}

func (e failoverError) mayHaveArrived() bool {
	for _, one := range e {
		if one.err.mayHaveArrived {
			return true
		}
	}
	return false
}
