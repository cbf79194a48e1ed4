package etcdconn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"

	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/wait"
)

// Bounds of the probes.
const (
	minProbeGap     = 50 * time.Millisecond // between two probes, also if a check is requested
	maxProbeTimeout = 5 * time.Second
)

var errLearner = errors.New("a learner serves no linearizable requests")

// probeLoop probes an endpoint until ctx ends: periodically, and soon after a request to it
// has failed.
func (p *Pool) probeLoop(ctx context.Context, e *endpoint) {
	timeouts := 0
	for ctx.Err() == nil {
		result := p.probe(ctx, e, timeouts)
		if ctx.Err() != nil {
			return
		}
		if result.isTimeout {
			timeouts = min(timeouts+1, 3)
		} else {
			timeouts = 0
		}
		p.apply(e, result)
		_ = wait.For(ctx, minProbeGap)
		timer := time.NewTimer(wait.Jittered(p.opts.ProbeInterval))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-e.checkNow:
		}
		timer.Stop()
	}
}

// probeResult is what a probe has found.
type probeResult struct {
	started   time.Time
	roundTrip time.Duration // 0 if the endpoint did not respond
	state     State
	clusterID uint64
	err       error
	// hasServed means that the endpoint has served a linearizable read.
	hasServed bool
	isTimeout bool
}

// probe measures the endpoint by a request that the member serves without the others. After
// a failure it also makes a linearizable read. The timeout doubles with each timeout before.
func (p *Pool) probe(ctx context.Context, e *endpoint, timeouts int) (result probeResult) {
	needsCheck, roundTrip := p.needsCheck(e)
	timeout := min(max(p.opts.ProbeTimeout, 8*roundTrip)<<timeouts, max(p.opts.ProbeTimeout, maxProbeTimeout))
	ctx, cancel := context.WithTimeout(withPin(ctx, pin{endpoint: e, isProbe: true}), timeout)
	defer cancel()
	result = p.probeStatus(ctx, e)
	if roundTrip == 0 && result.roundTrip > 0 {
		result = p.probeStatus(ctx, e) // the first request has also opened the connection
	}
	defer func() {
		result.isTimeout = result.state == StateUnreachable && ctx.Err() != nil
		if result.isTimeout && !errors.Is(result.err, etcd.ErrNotSent) {
			result.err = fmt.Errorf("no response within %s", timeout)
		}
	}()
	if result.state != StateHealthy || !needsCheck {
		return result
	}
	_, err := p.client.Get(ctx, p.opts.ProbeKey, clientv3.WithKeysOnly())
	switch {
	case errors.Is(err, rpctypes.ErrNoLeader):
		result.state, result.err = StateNoLeader, err
	case err != nil && !isResponse(err):
		result.state, result.err = StateUnreachable, fmt.Errorf("a linearizable read failed: %w", err)
	default:
		result.hasServed = true
	}
	return result
}

func (p *Pool) probeStatus(ctx context.Context, e *endpoint) probeResult {
	result := probeResult{started: p.now()}
	resp, err := p.maintenance.Status(ctx, e.url)
	elapsed := p.now().Sub(result.started)
	switch {
	case errors.Is(err, errNotEtcd):
		result.state, result.err = StateNotEtcd, err
		return result
	case err != nil && !isResponse(err):
		result.state, result.err = StateUnreachable, err
		return result
	case err != nil: // etcd requires a token
	case resp.IsLearner:
		result.state, result.err = StateLearner, errLearner
	case resp.Leader == 0:
		result.state, result.err = StateNoLeader, rpctypes.ErrNoLeader
	}
	result.roundTrip = max(elapsed, time.Microsecond)
	if err == nil {
		result.clusterID = resp.Header.GetClusterId()
	}
	return result
}

// isResponse reports whether an error is a response of the member, which therefore works.
func isResponse(err error) bool {
	switch codeOf(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.Unauthenticated, codes.FailedPrecondition,
		codes.NotFound, codes.ResourceExhausted, codes.OutOfRange:
		return true
	default:
		return false
	}
}

// needsCheck reports whether requests to the endpoint have failed since its last check.
func (p *Pool) needsCheck(e *endpoint) (bool, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return e.health.isFailing, e.health.roundTrip
}

// apply records the result of a probe, and moves streams if it matters.
func (p *Pool) apply(e *endpoint, result probeResult) {
	now := p.now()
	p.update(e, func(h *health) {
		if result.roundTrip > 0 {
			h.measure(result.roundTrip)
		}
		if result.clusterID != 0 {
			h.clusterID = result.clusterID
		}
		state, reason := result.state, result.err
		if p.clusterID != 0 && h.clusterID != 0 && h.clusterID != p.clusterID {
			state, reason = StateForeign, fmt.Errorf("it belongs to cluster %x, not to %x", h.clusterID, p.clusterID)
		}
		h.setProbed(state, reason, now)
		if result.hasServed {
			h.recover(result.started, now)
		}
	})
	p.moveStreams()
}
