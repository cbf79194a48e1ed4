package network

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// A chunk that is lost arrives late by the time of a retransmission of TCP.
	minRetransmission = 200 * time.Millisecond
	maxRetransmission = time.Second
	// maxBacklog is how much a slow line buffers, as the time that it takes to send it.
	maxBacklog = time.Second
)

// path is one direction between two regions, for one kind of traffic. It is safe for
// concurrent use.
type path struct {
	mu    sync.Mutex
	delay time.Duration
	conditions
	freeAt  time.Time     // when a slow line has sent all that it buffers
	changed chan struct{} // closed and replaced when the delay or a condition changes
}

// conditions are the faults of a path; the zero value is none.
type conditions struct {
	// blocked blocks all bytes. A connection on a blocked path stays open and idle, as if
	// packets were lost: TCP retransmits them later.
	blocked        bool
	holdsResponses bool    // blocks what servers send
	responseLoss   float64 // the share of responses whose connection is reset
	quality        Quality
}

func newPath() *path { return &path{changed: make(chan struct{})} }

func (p *path) set(change func(*path)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *path) setDelay(delay time.Duration) { p.set(func(p *path) { p.delay = delay }) }

// losesResponse reports whether a response is lost.
func (p *path) losesResponse() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return rand.Float64() < p.responseLoss //nolint:gosec // not a secret
}

// lateness returns how much later than the delay a chunk arrives, which is sent now.
func (p *path) lateness(size int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	late := time.Duration(0)
	if p.quality.Jitter > 0 {
		late += rand.N(p.quality.Jitter) //nolint:gosec // not a secret
	}
	if rand.Float64() < p.quality.Loss { //nolint:gosec // not a secret
		late += minRetransmission + rand.N(maxRetransmission-minRetransmission) //nolint:gosec // not a secret
	}
	if p.quality.Bandwidth > 0 {
		now := time.Now()
		if p.freeAt.Before(now) {
			p.freeAt = now
		}
		p.freeAt = p.freeAt.Add(time.Duration(size) * time.Second / time.Duration(p.quality.Bandwidth))
		late += p.freeAt.Sub(now)
	}
	return late
}

// awaitBuffer returns when the line can buffer another chunk, or when ctx ends.
func (p *path) awaitBuffer(ctx context.Context) {
	p.awaitTime(ctx, func() (bool, time.Duration) {
		if p.quality.Bandwidth == 0 {
			return false, 0
		}
		return false, time.Until(p.freeAt) - maxBacklog
	})
}

// awaitArrival returns when the chunk has arrived. It returns the error of ctx if that ends
// first.
func (p *path) awaitArrival(ctx context.Context, c chunk) error {
	p.awaitTime(ctx, func() (bool, time.Duration) {
		arrival := c.sent.Add(p.delay)
		if p.quality != (Quality{}) {
			arrival = arrival.Add(c.late)
		}
		return p.blocked || c.isFromServer && p.holdsResponses, time.Until(arrival)
	})
	return ctx.Err()
}

// awaitTime returns when state reports that the path is not blocked and no time remains, or when
// ctx ends. It calls state with the lock.
func (p *path) awaitTime(ctx context.Context, state func() (blocked bool, remaining time.Duration)) {
	for {
		p.mu.Lock()
		changed := p.changed
		blocked, remaining := state()
		p.mu.Unlock()
		var arrival <-chan time.Time // nil while blocked
		if !blocked {
			if remaining <= 0 {
				return
			}
			arrival = time.After(remaining)
		}
		select {
		case <-arrival:
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
