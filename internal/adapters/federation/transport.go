package federation

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"galaxy/rtmanager/internal/daemonhttp"
)

// keepAlive is the interval of TCP keepalives.
const keepAlive = 15 * time.Second

// newTransport returns a transport to a URL of another store.
func (c *Client) newTransport(base string) (*http.Transport, error) {
	address, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	var verify func(*x509.Certificate) error
	if c.cfg.RequireNodeIdentity {
		if address.Scheme != "https" {
			return nil, fmt.Errorf("the URL %s is not https, and this daemon sends requests to verified daemons only", base)
		}
		verify = daemonhttp.VerifyDaemon
	}
	return daemonhttp.NewTransport(c.cfg.TLS.Config(address.Hostname(), verify), keepAlive), nil
}
