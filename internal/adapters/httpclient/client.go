// Package httpclient is a runtime record store on the far side of the REST
// API: it implements the store's ports over HTTP and turns the API's problems
// back into the domain's errors.
package httpclient

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"galaxy/rtmanager/internal/ports"
)

var (
	_ ports.Store    = (*Client)(nil)
	_ ports.Executor = (*Client)(nil)
)

// Config tunes a Client. The zero value is usable; a zero duration means the
// default named beside it.
type Config struct {
	// Version goes into the User-Agent.
	Version string
	// HTTPClient makes the requests; nil makes one of the client's own. It must
	// not have a Timeout, which would end watches, nor follow redirects.
	HTTPClient *http.Client
	// RequestTimeout bounds one try of an ordinary request, so that a silent
	// server does not hold a caller without a deadline. Default 40 s, which is
	// longer than a server works on one.
	RequestTimeout time.Duration
	// WriteTimeout bounds how long a write that may have reached the server, or an
	// operation that nothing is heard of any more, is repeated to learn what came of
	// it. Default 60 s.
	WriteTimeout time.Duration
	// MinBackoff and MaxBackoff bound the wait between tries. Default 100 ms
	// and 5 s.
	MinBackoff, MaxBackoff time.Duration
	// SilenceTimeout is how long a watch may stay silent before its connection
	// counts as dead. Default three heartbeats of the server.
	SilenceTimeout time.Duration
	// OnReconnect, when set, is called when a watch has lost its connection and
	// is about to resume from the revision; 0 means a new snapshot.
	OnReconnect func(err error, fromRevision int64)
}

// Client is a store reached over HTTP. It is safe for concurrent use.
type Client struct {
	base *url.URL
	http *http.Client
	cfg  Config
}

// New returns a client of the API at baseURL, such as "http://127.0.0.1:8080".
// It sends nothing yet. It fails for anything but an http or https URL with a
// host.
func New(baseURL string, cfg Config) (*Client, error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		// The parser's own words would hold the whole address, and a password with it.
		return nil, fmt.Errorf("server address %q is not a URL; use http://HOST:PORT or https://HOST:PORT", withoutUser(baseURL))
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Hostname() == "" {
		return nil, fmt.Errorf("server address %q: use http://HOST:PORT or https://HOST:PORT", withoutUser(baseURL))
	}
	if base.RawQuery != "" || base.ForceQuery || base.Fragment != "" {
		return nil, fmt.Errorf("server address %q: must not have a query or a fragment", withoutUser(baseURL))
	}
	return &Client{base: base, http: httpClient(cfg.HTTPClient), cfg: withDefaults(cfg)}, nil
}

// withoutUser leaves out what may be a user and a password, well-formed or not.
func withoutUser(address string) string {
	if at := strings.LastIndex(address, "@"); at >= 0 {
		return "…" + address[at:]
	}
	return address
}

// Close lets go of idle connections. Requests under way are not disturbed.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

func httpClient(given *http.Client) *http.Client {
	if given != nil {
		return given
	}
	return &http.Client{
		Transport: newTransport(),
		// The API never redirects, so a redirect comes from something else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	// A connection of HTTP/2 is shared by all requests: a dead one would be used
	// until the kernel gives up on it.
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return transport
}

func withDefaults(cfg Config) Config {
	if cfg.Version == "" {
		cfg.Version = "unknown"
	}
	orDefault := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	orDefault(&cfg.RequestTimeout, 40*time.Second)
	orDefault(&cfg.WriteTimeout, time.Minute)
	orDefault(&cfg.MinBackoff, 100*time.Millisecond)
	orDefault(&cfg.MaxBackoff, 5*time.Second)
	return cfg
}
