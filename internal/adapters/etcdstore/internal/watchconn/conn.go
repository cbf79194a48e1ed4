package watchconn

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Bounds of what a Conn buffers for a slow consumer, about 2 KB per event. Beyond them the
// Conn fails with ErrSlowConsumer. The consumer opens another one once it has caught up;
// etcd keeps the events until then.
const (
	maxBufferedEvents    = 2048
	maxBufferedResponses = 256
)

// Conn is one etcd watch. A goroutine of its own takes the responses from the client, whose
// buffer is unbounded and is lost when the watch closes, and buffers them for the consumer.
type Conn struct {
	source    *Source
	ctx       context.Context // of the etcd watch; carries the key of its stream
	cancel    context.CancelFunc
	responses chan clientv3.WatchResponse
	buffered  atomic.Int64 // events in responses
	done      chan struct{}
	// progressRequests has space for one request. Next sends it to etcd rather than the
	// requester, because that can take long: the client blocks while it reopens its stream.
	progressRequests chan struct{}
	overflowed       bool          // set before responses is closed
	idleTimeout      time.Duration // how long it may be idle before it is probed
	// progressPending means that a progress request was sent since the last response.
	progressPending bool
}

// Close ends the watch and waits for its goroutine.
func (c *Conn) Close() {
	c.cancel()
	<-c.done
}

// Cancel ends the watch without waiting. It is safe for concurrent use.
func (c *Conn) Cancel() { c.cancel() }

// RequestProgress makes Next request a progress notification. It does not block and is safe
// for concurrent use.
func (c *Conn) RequestProgress() {
	select {
	case c.progressRequests <- struct{}{}:
	default: // one is pending
	}
}

// IsProgressPending reports whether a progress request was sent since the last response.
func (c *Conn) IsProgressPending() bool { return c.progressPending }

// Next waits for the next response. It returns a zero response if the Conn was idle and
// proved to be alive. position is the revision that the consumer has processed: if etcd has
// no newer revision, a linearizable read is proof enough.
//
// The error is runtime.ErrCompacted, ErrSlowConsumer, ErrBroken, an error of CheckRevision,
// or the reason why ctx ended.
func (c *Conn) Next(ctx context.Context, position int64) (clientv3.WatchResponse, error) {
	idle := time.NewTimer(c.idleTimeout)
	defer idle.Stop()
	for {
		select {
		case resp, isOpen := <-c.responses:
			if !isOpen {
				return resp, c.closeError(ctx)
			}
			c.progressPending = false
			c.buffered.Add(-int64(len(resp.Events)))
			return resp, c.source.responseError(resp)
		case <-ctx.Done():
			return clientv3.WatchResponse{}, context.Cause(ctx)
		case <-idle.C:
			return clientv3.WatchResponse{}, c.probe(ctx, position)
		case <-c.progressRequests:
			if err := c.sendProgressRequest(); err != nil {
				return clientv3.WatchResponse{}, err
			}
		}
	}
}

func (c *Conn) receive(opts []clientv3.OpOption) {
	defer close(c.done)
	defer close(c.responses)
	// The watch is opened here because the client blocks while it has no connection, which
	// the consumer has to detect too.
	for resp := range c.source.Watcher.Watch(c.ctx, c.source.Prefix, opts...) {
		if !c.buffer(resp) {
			c.overflowed = true
			c.cancel() // or the client would continue to fill its own buffer
			return
		}
	}
}

// buffer stores a response for the consumer unless the buffer is full. A single response
// always fits: it is one step of etcd's own replay.
func (c *Conn) buffer(resp clientv3.WatchResponse) bool {
	size := int64(len(resp.Events))
	if total := c.buffered.Add(size); total > maxBufferedEvents && total > size {
		return false
	}
	select {
	case c.responses <- resp:
		return true
	default:
		return false
	}
}

// closeError returns why responses was closed.
func (c *Conn) closeError(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case c.overflowed:
		return ErrSlowConsumer
	default:
		return ErrBroken
	}
}

// probe checks whether an idle Conn is alive. If etcd has a newer revision than position, it
// requests a progress notification; if the previous request is still without a response,
// the Conn has failed.
func (c *Conn) probe(ctx context.Context, position int64) error {
	revision, err := c.source.CheckRevision(ctx, position)
	switch {
	case err != nil:
		return err
	case revision == position:
		c.progressPending = false
		return nil
	case c.progressPending:
		return ErrNoProgress
	}
	c.progressPending = true
	return c.sendProgressRequest()
}

// sendProgressRequest requests a response that states the progress of the watch.
func (c *Conn) sendProgressRequest() error {
	select {
	case <-c.done:
		return ErrBroken // the client would open a new stream that is never closed
	default:
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.source.Etcd.CallTimeout())
	defer cancel()
	if err := c.source.Watcher.RequestProgress(ctx); err != nil {
		return errors.Join(ErrBroken, err)
	}
	return nil
}
