// Package healthprobe checks the health of games: over HTTP, by a TCP connection, by a command in their container, or
// by the time of their heartbeat.
package healthprobe

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.HealthProber = (*Prober)(nil)

// Prober sends health checks. It is safe for concurrent use.
type Prober struct {
	client   *http.Client
	timeout  time.Duration
	commands ports.CommandRunner // nil if there is none
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
			DisableKeepAlives: true, Proxy: nil,
			DialContext: (&net.Dialer{Control: rejectLinkLocal}).DialContext,
		},
		// A game must not redirect the daemon to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// WithCommands returns the prober with a runner of the commands of health checks. Without one, or with nil, these fail.
func (p *Prober) WithCommands(runner ports.CommandRunner) *Prober {
	with := *p
	with.commands = runner
	return &with
}

// Probe implements ports.HealthProber.
func (p *Prober) Probe(ctx context.Context, target operation.HealthTarget) error {
	bound, cancel := context.WithTimeout(ctx, cmp.Or(target.Timeout, p.timeout))
	defer cancel()
	address, isTCP := strings.CutPrefix(target.URL, "tcp://")
	switch {
	case len(target.Command) > 0:
		return p.run(bound, target)
	case target.Heartbeat != "":
		return checkHeartbeat(target)
	case isTCP:
		return p.connect(bound, address)
	default:
		return p.get(bound, target.URL)
	}
}

// checkHeartbeat returns nil if the file of the heartbeat was modified recently. It does not
// follow links, since the game controls the directory.
func checkHeartbeat(target operation.HealthTarget) error {
	info, err := os.Lstat(target.Heartbeat)
	if err != nil {
		return fmt.Errorf("no heartbeat: %w", err)
	}
	modified := info.ModTime()
	switch {
	case modified.Before(target.Since):
		return fmt.Errorf("no heartbeat since the start: %s was last modified before", target.Heartbeat)
	case time.Since(modified) > target.MaxAge:
		return fmt.Errorf("no heartbeat within %s: %s was last modified at %s", target.MaxAge, target.Heartbeat, modified.UTC().Format(time.RFC3339))
	}
	return nil
}

// connect returns nil if the address accepts a TCP connection.
func (p *Prober) connect(ctx context.Context, address string) error {
	connection, err := (&net.Dialer{Control: rejectLinkLocal}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	_ = connection.Close()
	return nil
}

// get returns nil if the URL responds with 2xx to a GET request.
func (p *Prober) get(bound context.Context, url string) error {
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
