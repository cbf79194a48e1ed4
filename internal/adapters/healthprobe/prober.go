// Package healthprobe checks the health of games over HTTP.
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

	"galaxy/rtmanager/internal/ports"
)

var _ ports.HealthProber = (*Prober)(nil)

// Prober sends health checks. It is safe for concurrent use.
type Prober struct {
	client  *http.Client
	timeout time.Duration
}

// defaultTimeout is the timeout of a health check if New is given none.
const defaultTimeout = 2 * time.Second

// maxBodyBytes bounds how much of a response Probe reads. It ignores the content.
const maxBodyBytes = 4 << 10

// New returns a prober whose health checks time out after timeout; 0 means 2 s.
func New(timeout time.Duration) *Prober {
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	return &Prober{timeout: timeout, client: &http.Client{
		// Every probe opens a connection. An idle connection could report the health of the
		// process before a restart, and a thousand games would need a thousand of them.
		Transport: &http.Transport{
			DisableKeepAlives: true, Proxy: nil, ResponseHeaderTimeout: timeout,
			DialContext: (&net.Dialer{Control: rejectLinkLocal}).DialContext,
		},
		// A game must not redirect the daemon to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Probe sends a GET request to the URL. It returns nil if the game responds with 2xx
// before the timeout, and otherwise an error that describes the response.
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
	_, _ = io.CopyN(io.Discard, response.Body, maxBodyBytes)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("GET %s returned %s", url, response.Status)
	}
	return nil
}

// rejectLinkLocal returns an error for link-local and multicast addresses. No game has such
// an address, but cloud metadata services do, and an API client can write any endpoint to a
// record.
func rejectLinkLocal(_, address string, _ syscall.RawConn) error {
	addrPort, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if ip := addrPort.Addr().Unmap(); ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return fmt.Errorf("%s is a link-local or multicast address, which a game cannot have", ip)
	}
	return nil
}
