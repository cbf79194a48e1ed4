package regions

import (
	"context"
	"sync"
	"time"
)

// path is one direction between two regions, for one kind of traffic. It is safe for
// concurrent use.
type path struct {
	mu      sync.Mutex
	delay   time.Duration
	blocked bool
	changed chan struct{} // closed and replaced when blocked or delay changes
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

// setBlocked blocks all bytes, or delivers those that were blocked. A connection on a blocked
// path stays open and idle, as if packets were lost: TCP retransmits them later.
func (p *path) setBlocked(blocked bool) { p.set(func(p *path) { p.blocked = blocked }) }

// wait returns when bytes that were sent at the time have arrived. It returns the error of
// ctx if that ends first.
func (p *path) wait(ctx context.Context, sent time.Time) error {
	for {
		p.mu.Lock()
		blocked, changed, remaining := p.blocked, p.changed, time.Until(sent.Add(p.delay))
		p.mu.Unlock()
		var arrival <-chan time.Time // nil while blocked
		if !blocked {
			if remaining <= 0 {
				return ctx.Err()
			}
			arrival = time.After(remaining)
		}
		select {
		case <-arrival:
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
