package etcdconn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/broadcast"
)

// Pool holds the connections to all endpoints of one cluster. It is safe for concurrent use.
type Pool struct {
	opts      Options
	endpoints []*endpoint
	login     *login // nil without a user
	client    *clientv3.Client
	// maintenance sends requests to the endpoint that the context pins.
	maintenance clientv3.Maintenance

	cancel  context.CancelFunc
	probes  sync.WaitGroup
	changed broadcast.Signal // after each update of an endpoint

	mu        sync.Mutex
	current   *endpoint // that the last request was sent to
	clusterID uint64    // 0 before SetClusterID
	streams   map[*stream]struct{}
}

// New returns a pool that has started to measure its endpoints. It does not wait for them.
// The pool lasts until Close, also if ctx ends.
//
// The error is that of a URL.
func New(ctx context.Context, opts Options) (*Pool, error) {
	opts = opts.withDefaults()
	p := &Pool{opts: opts, streams: map[*stream]struct{}{}}
	for _, rawURL := range opts.Endpoints {
		e, err := newEndpoint(rawURL, opts)
		if err != nil {
			p.closeEndpoints()
			return nil, err
		}
		p.endpoints = append(p.endpoints, e)
	}
	if len(p.endpoints) == 0 {
		return nil, errors.New("no endpoints")
	}
	p.warnOfProxy()
	ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if opts.User != "" {
		p.login = newLogin(opts.User, opts.PasswordFile, pb.NewAuthClient(router{p}))
	}
	p.client = p.newClient(ctx)
	for _, e := range p.endpoints {
		p.probes.Go(func() { p.probeLoop(ctx, e) })
	}
	return p, nil
}

// Client returns the client of the pool. Its Status, HashKV and Defragment use the pool's
// connection to an endpoint and open none. Close closes it.
func (p *Pool) Client() *clientv3.Client { return p.client }

// Close ends all requests and closes all connections.
func (p *Pool) Close() error {
	p.cancel()
	p.probes.Wait()
	_ = p.client.Close() // always returns context.Canceled
	p.closeEndpoints()
	return nil
}

func (p *Pool) closeEndpoints() {
	for _, e := range p.endpoints {
		e.close()
	}
}

// WaitHealthy waits until an endpoint is healthy and the user is logged in. If ctx ends
// first, the error names the state of each endpoint. It returns other errors at once: etcd
// rejects the password, or the endpoints belong to different clusters.
func (p *Pool) WaitHealthy(ctx context.Context) error {
	for {
		changed := p.changed.Changed()
		err := p.endpointsHealth()
		if err == nil && p.login != nil {
			_, err = p.login.current(ctx, 0)
			if errors.Is(err, rpctypes.ErrAuthFailed) {
				return fmt.Errorf("log in as user %s: %w", p.login.user, err)
			}
		}
		if err == nil {
			return p.checkClusters()
		}
		select {
		case <-changed: // at the latest after the next probe
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}
}

// Health returns nil while an endpoint is healthy and the user is logged in. Otherwise its
// error names the state of each endpoint, or the error of the login.
func (p *Pool) Health() error {
	if err := p.endpointsHealth(); err != nil || p.login == nil {
		return err
	}
	if failure := p.login.failure.Load(); failure != nil {
		return fmt.Errorf("log in as user %s: %w", p.login.user, *failure)
	}
	return nil
}

func (p *Pool) endpointsHealth() error {
	var states []string
	for _, e := range p.Snapshot() {
		if e.State <= StateFailing {
			return nil
		}
		states = append(states, fmt.Sprintf("%s is %s: %s", e.URL, e.State, e.Reason))
	}
	return errors.New(strings.Join(states, "; "))
}

// checkClusters returns an error if the endpoints that have responded belong to different
// clusters.
func (p *Pool) checkClusters() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first *endpoint
	for _, e := range p.endpoints {
		switch {
		case e.health.clusterID == 0:
		case first == nil:
			first = e
		case e.health.clusterID != first.health.clusterID:
			return fmt.Errorf("%s belongs to cluster %x, and %s to %x; use the endpoints of one cluster",
				first.url, first.health.clusterID, e.url, e.health.clusterID)
		}
	}
	return nil
}

// EndpointStatus describes one endpoint.
type EndpointStatus struct {
	URL   string
	State State
	// RoundTrip is the smoothed duration of a request that one member serves alone; 0 before
	// the first measurement.
	RoundTrip time.Duration
	// Reason is why the state is not StateHealthy.
	Reason string
	// Selected means that requests are sent to this endpoint.
	Selected bool
}

// Snapshot returns the status of each endpoint, in the order of Options.Endpoints.
func (p *Pool) Snapshot() []EndpointStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	selected := selectEndpoint(p.endpoints, p.current, nil)
	statuses := make([]EndpointStatus, len(p.endpoints))
	for i, e := range p.endpoints {
		statuses[i] = EndpointStatus{URL: e.url, State: e.health.state(), RoundTrip: e.health.roundTrip, Selected: e == selected}
		if reason := e.health.reason; reason != nil && statuses[i].State != StateHealthy {
			statuses[i].Reason = reason.Error()
		}
	}
	return statuses
}

// Endpoints implements etcd.Network.
func (p *Pool) Endpoints() []string { return slices.Clone(p.opts.Endpoints) }

// RoundTrip implements etcd.Network. It returns the longest round trip to an endpoint that
// serves requests: a request may have to travel between any two members.
func (p *Pool) RoundTrip() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var longest time.Duration
	for _, e := range p.endpoints {
		if e.health.state() <= StateFailing {
			longest = max(longest, e.health.roundTrip)
		}
	}
	return longest
}

// HasAlternative implements etcd.Network.
func (p *Pool) HasAlternative() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	usable := 0
	for _, e := range p.endpoints {
		if e.health.state() <= StateFailing {
			usable++
		}
	}
	return usable > 1
}

// SetClusterID implements etcd.Network. Endpoints of another cluster get no requests as long
// as others exist.
func (p *Pool) SetClusterID(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clusterID = id
}

// selectEndpoint selects the endpoint of a request.
func (p *Pool) selectEndpoint(excluded []*endpoint) *endpoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	selected := selectEndpoint(p.endpoints, p.current, excluded)
	p.current = selected
	return selected
}

func (p *Pool) stateOf(e *endpoint) State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return e.health.state()
}

// update changes the health of an endpoint. It logs a change of its state.
func (p *Pool) update(e *endpoint, change func(*health)) {
	p.mu.Lock()
	before := e.health.state()
	change(&e.health)
	after, reason, roundTrip := e.health.state(), e.health.reason, e.health.roundTrip
	p.mu.Unlock()
	p.changed.Notify()
	switch {
	case before == after:
	case after == StateHealthy:
		p.opts.Logger.Info("etcd endpoint is healthy", "endpoint", e.url, "round_trip", roundTrip.String())
	default:
		p.opts.Logger.Warn("etcd endpoint is not healthy", "endpoint", e.url, "state", after.String(), "error", reason)
	}
}

// now returns the time. Tests in synctest bubbles control it.
func (p *Pool) now() time.Time { return time.Now() }
