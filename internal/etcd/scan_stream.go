package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// minStreamedKeys is the least number of remaining keys for which a scan opens a stream.
	minStreamedKeys = 10_000
	// streamPause is how long scans do not use streams after one has broken.
	streamPause = time.Minute
)

// errStreamUnused is the error of a stream that has delivered nothing, so that pages can take its
// place.
var errStreamUnused = errors.New("the stream has delivered nothing")

// stream reads the keys from the given one to the end of the scan as a stream of small parts. etcd
// does not count the remaining keys for them, as it does for every page, and begins the next part
// while the caller processes one.
//
// etcd identifies its cluster only at the end of a stream, so a broken one cannot be continued by
// pages: its keys may be those of another cluster. The error is errStreamUnused if it has
// delivered none, for example because etcd does not support streams.
func (s *scan) stream(ctx context.Context, from string, page PageFunc) error {
	streamCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts, err := s.client.Raw.GetStream(streamCtx, from, clientv3.WithRange(s.end), clientv3.WithRev(s.revision))
	if err != nil {
		return errStreamUnused
	}
	defer func() {
		cancel()
		for range parts { // the goroutine of the client ends only after all were received
		}
	}()
	isUsed, isComplete := false, false
	for {
		part, isOpen, isIdle := nextPart(parts, s.client.CallTimeout())
		if isIdle {
			return s.streamError(ctx, isUsed, errors.New("etcd sends nothing"))
		}
		if !isOpen {
			break
		}
		if err := part.Err(); err != nil {
			return s.streamError(ctx, isUsed, err)
		}
		isUsed = true
		if header := part.Header; header != nil {
			if err := s.client.CheckCluster(header.GetClusterId()); err != nil {
				return err
			}
			isComplete = true
		}
		if more, err := page(s.revision, part.Kvs); err != nil || !more {
			return err
		}
	}
	if !isComplete {
		return s.streamError(ctx, isUsed, errors.New("etcd ended the stream early"))
	}
	return nil
}

// nextPart waits for the next part of a stream. isOpen is false at its end. isIdle means that none has
// arrived within the timeout: one that arrives together with the end of the timeout is returned.
func nextPart(parts clientv3.GetStreamChan, timeout time.Duration) (part clientv3.RangeStreamResponse, isOpen, isIdle bool) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case part, isOpen = <-parts:
		return part, isOpen, false
	case <-timer.C:
	}
	select {
	case part, isOpen = <-parts:
		return part, isOpen, false
	default:
		return part, false, true
	}
}

// streamError returns the error of a stream that has broken. After one that has delivered keys, scans
// use pages for a while: the line may be too slow for streams.
func (s *scan) streamError(ctx context.Context, isUsed bool, err error) error {
	switch {
	case ctx.Err() != nil:
		return ContextError(ctx)
	case !isUsed:
		return errStreamUnused
	case Classify(err) == Permanent:
		return ToDomainError(err)
	default:
		s.client.streams.pause()
		return UnavailableError(ctx, fmt.Errorf("a stream of keys broke: %w", err))
	}
}

// streamGate decides whether scans use streams. It is safe for concurrent use.
type streamGate struct {
	mu          sync.Mutex
	pausedUntil time.Time
}

func (g *streamGate) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().After(g.pausedUntil)
}

func (g *streamGate) pause() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pausedUntil = time.Now().Add(streamPause)
}
