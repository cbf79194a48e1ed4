// Package healthprobe asks games over HTTP how they are.
package healthprobe

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Prober asks one game at a time, or many; it is safe for concurrent use.
type Prober struct {
	client  *http.Client
	timeout time.Duration
}

// New returns a prober that gives each game this long to answer; 0 means 2 s.
func New(timeout time.Duration) *Prober {
	if timeout <= 0 {
		timeout = 2 * time.Second
	}
	return &Prober{timeout: timeout, client: &http.Client{
		// A connection of its own for every probe: one that is kept would say that the
		// game before a restart is well, and a thousand games would hold as many open.
		Transport: &http.Transport{
			DisableKeepAlives: true, Proxy: nil, ResponseHeaderTimeout: timeout,
			DialContext: (&net.Dialer{Control: refuseLinkLocal}).DialContext,
		},
		// A game must not send the manager elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Probe returns nil for a game that answers a GET of the URL with 2xx in time, and
// otherwise an error that says what it did instead.
func (p *Prober) Probe(ctx context.Context, url string) error {
	bound, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(bound, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("probe %q: %w", url, err)
	}
	request.Header.Set("User-Agent", "rtmanager-health")
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	const enough = 4 << 10 // nobody reads it
	_, _ = io.CopyN(io.Discard, response.Body, enough)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("GET %s answered %s", url, response.Status)
	}
	return nil
}

// refuseLinkLocal keeps probes from addresses at which no game is ever reached, and
// machines ask who they are: the endpoint may be out of a record that somebody wrote.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if ip := at.Addr().Unmap(); ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return fmt.Errorf("%s is a link-local or multicast address, which no game has", ip)
	}
	return nil
}
