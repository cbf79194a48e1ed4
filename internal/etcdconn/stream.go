package etcdconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/wait"
)

// reopenDelay delays a stream that is opened while no endpoint is healthy. The client
// library reopens streams without a delay.
const reopenDelay = 50 * time.Millisecond

// errMoved is the cause of a stream that ends because another endpoint is better.
var errMoved = errors.New("the stream moves to another endpoint of etcd")

// stream is one stream at an endpoint. When it has to move, it ends with Unavailable; the
// client library then opens it at another endpoint and resumes its watches.
type stream struct {
	grpc.ClientStream
	pool     *Pool
	endpoint *endpoint
	started  time.Time
	ctx      context.Context
	cancel   context.CancelCauseFunc
	// hasReceived means that the endpoint has sent a message.
	hasReceived atomic.Bool
}

// NewStream implements grpc.ClientConnInterface.
func (r router) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if login := r.pool.login; login != nil {
		maxAge := time.Duration(0)
		if strings.HasPrefix(method, serviceWatch) {
			maxAge = watchTokenAge
		}
		if _, err := login.current(ctx, maxAge); err != nil {
			_ = wait.For(ctx, reopenDelay)
			return nil, status.Error(codes.Unavailable, loginError(login, err).Error())
		}
	}
	var excluded []*endpoint
	for {
		e := r.pool.selectEndpoint(excluded)
		if r.pool.stateOf(e) != StateHealthy && wait.For(ctx, reopenDelay) != nil {
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		s, err := r.openStream(ctx, e, desc, method, opts)
		excluded = append(excluded, e)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil || len(excluded) == len(r.pool.endpoints) {
			return nil, err
		}
	}
}

func (r router) openStream(ctx context.Context, e *endpoint, desc *grpc.StreamDesc, method string, opts []grpc.CallOption) (grpc.ClientStream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &stream{pool: r.pool, endpoint: e, started: r.pool.now(), ctx: ctx, cancel: cancel}
	var err error
	s.ClientStream, err = e.connFor(method).NewStream(r.outgoing(ctx, method, nil), desc, method, opts...)
	if err != nil {
		cancel(err)
		r.pool.report(e, outcome{started: s.started, err: err})
		return nil, err
	}
	r.pool.addStream(s)
	context.AfterFunc(ctx, func() { r.pool.removeStream(s) })
	return s, nil
}

// RecvMsg implements grpc.ClientStream.
func (s *stream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		s.hasReceived.Store(true)
		return nil
	}
	defer s.cancel(err)
	cause := context.Cause(s.ctx)
	switch {
	case errors.Is(cause, errMoved):
		return status.Error(codes.Unavailable, cause.Error())
	case isNotEtcd(err):
		s.pool.report(s.endpoint, outcome{started: s.started, err: err})
		return status.Error(codes.Unavailable, fmt.Sprintf("%s: %v: %s", s.endpoint.url, errNotEtcd, status.Convert(err).Message()))
	case errors.Is(err, io.EOF):
	case codeOf(err) != codes.DeadlineExceeded || !s.hasReceived.Load():
		s.pool.report(s.endpoint, outcome{started: s.started, err: err})
	}
	return err
}

// moveStreams ends the streams that another endpoint serves better: those at an endpoint
// that does not serve requests, and those at an endpoint that is much farther than one that
// has been healthy for StableTime.
func (p *Pool) moveStreams() {
	p.mu.Lock()
	defer p.mu.Unlock()
	best := selectEndpoint(p.endpoints, p.current, nil)
	if best.health.state() != StateHealthy {
		return
	}
	isStable := p.now().Sub(best.health.healthySince) >= p.opts.StableTime
	for s := range p.streams {
		h := &s.endpoint.health
		switch {
		case s.endpoint == best:
		case h.state() >= StateNoLeader:
			s.cancel(fmt.Errorf("%w: %s is %s", errMoved, s.endpoint.url, h.state()))
		case isStable && isFar(h.roundTrip, best.health.roundTrip):
			s.cancel(fmt.Errorf("%w: %s is nearer than %s", errMoved, best.url, s.endpoint.url))
		}
	}
}

// isFar reports whether a round trip is so much longer than another one that a stream
// should move. A stream that moves has to be resumed, so the bound is higher than isNear's.
func isFar(roundTrip, shortest time.Duration) bool {
	return roundTrip > 2*shortest+5*nearMargin
}

func (p *Pool) addStream(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams[s] = struct{}{}
}

func (p *Pool) removeStream(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.streams, s)
}
