package httpclient

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/ports"
)

var (
	_ ports.RuntimeRecordStore = (*Client)(nil)
	_ ports.RuntimeWriter      = (*Client)(nil)
	_ ports.RuntimeDeleter     = (*Client)(nil)
	_ ports.RuntimeReader      = (*Client)(nil)
	_ ports.RuntimeLedger      = (*Client)(nil)
	_ ports.RuntimeWatcher     = (*Client)(nil)
	_ ports.StoreInspector     = (*Client)(nil)
	_ ports.Executor           = (*Client)(nil)
)

// Config tunes a Client. The zero value is usable: a zero duration selects the
// default that its field names.
type Config struct {
	// Version is sent in the User-Agent header.
	Version string
	// Credentials prove the identity of the client.
	Credentials Credentials
	// HTTPClient sends the requests; nil selects a client with this package's
	// transport. It must not have a Timeout, which would end watches, and must not
	// follow redirects. Credentials.TLS has no effect on it.
	HTTPClient *http.Client
	// RequestTimeout bounds one attempt of an ordinary request, for callers without a
	// deadline. Default 40 s, which is longer than a server works on a request.
	RequestTimeout time.Duration
	// WriteTimeout bounds the retries of a write that may have reached the server. It
	// also bounds how long an operation is retried while its stream sends nothing.
	// Default 60 s.
	WriteTimeout time.Duration
	// MinBackoff and MaxBackoff bound the wait between attempts. Default 100 ms and
	// 5 s.
	MinBackoff, MaxBackoff time.Duration
	// IdleTimeout is how long a stream may send nothing before its connection is
	// treated as broken. Default three heartbeats of the server.
	IdleTimeout time.Duration
	// OnReconnect, if set, is called when a watch has lost its connection and is about
	// to resume from the revision; 0 means a new snapshot.
	OnReconnect func(err error, fromRevision int64)
	// OnOpen, if set, is called when the stream of a watch opens. A watch without events
	// does not show this in another way.
	OnOpen func()
}

// Client is a store reached over HTTP. It is safe for concurrent use.
type Client struct {
	ports.RecordFacade // Get, Upsert, UpdateStatus, List and ListByStatus

	endpoints []endpoint
	current   atomic.Int32 // index of the endpoint that requests are sent to first
	cfg       Config
}

// New returns a client of the API at baseURL, such as "http://127.0.0.1:8080". It
// sends no request. It fails unless baseURL is an http or https URL with a host.
func New(baseURL string, cfg Config) (*Client, error) {
	return NewFailover([]Server{{URL: baseURL}}, cfg)
}

func newClient(endpoints []endpoint, cfg Config) *Client {
	c := &Client{endpoints: endpoints, cfg: withDefaults(cfg)}
	c.RecordFacade = ports.NewRecordFacade(c)
	return c
}

// redactUser removes everything up to the last @, which may be a user and a password
// even if the address is malformed.
func redactUser(address string) string {
	if at := strings.LastIndex(address, "@"); at >= 0 {
		return "…" + address[at:]
	}
	return address
}

// Close closes idle connections. It does not affect requests in progress.
func (c *Client) Close() error {
	c.closeIdleConnections()
	return nil
}

// newHTTPClient returns the client that sends the requests to a server. Of several servers, a dead
// one must not delay requests for long.
func newHTTPClient(cfg Config, settings *tls.Config, isOneOfSeveral bool) *http.Client {
	if cfg.HTTPClient != nil {
		return cfg.HTTPClient
	}
	transport := newTransport()
	transport.TLSClientConfig = settings.Clone()
	if isOneOfSeveral {
		transport.DialContext = (&net.Dialer{Timeout: failoverDialTimeout, KeepAlive: 30 * time.Second}).DialContext
		transport.TLSHandshakeTimeout = failoverDialTimeout
	}
	return &http.Client{
		Transport: transport,
		// The API never redirects, so a redirect comes from another server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	// All requests share one HTTP/2 connection. Without pings, a dead one would be used
	// until the kernel gives up on it.
	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second}
	return transport
}

func withDefaults(cfg Config) Config {
	cfg.Version = cmp.Or(cfg.Version, "unknown")
	cfg.RequestTimeout = cmp.Or(cfg.RequestTimeout, 40*time.Second)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, time.Minute)
	cfg.MinBackoff = cmp.Or(cfg.MinBackoff, 100*time.Millisecond)
	cfg.MaxBackoff = cmp.Or(cfg.MaxBackoff, 5*time.Second)
	return cfg
}
