package httpserver

import (
	"context"
	"net/http"
	"sync"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/stream"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/domain/operation"
)

// operationStream writes the events of one operation. It is safe for concurrent use:
// heartbeats come from a goroutine of their own.
type operationStream struct {
	mu  sync.Mutex // guards out
	out *stream.Writer
}

// streamOperation executes the operation here, and responds with a stream. It returns the
// error of an operation that ended before the stream started.
func (s *Server) streamOperation(w http.ResponseWriter, r *http.Request, x execution, format stream.Format) error {
	events := &operationStream{out: s.newStream(w, format)}
	x.report = events.progress
	result, err := func() (api.OperationResult, error) {
		ctx, leave := context.WithCancelCause(r.Context())
		defer leave(nil)
		defer events.startHeartbeats(s.cfg.Heartbeat, callers.NewRevocation(ctx, s.cfg.Access), leave)()
		return s.execute(ctx, x)
	}()
	if err != nil {
		s.logRejection(x.request, err)
	}
	switch {
	case err != nil && !events.out.IsOpen():
		return err
	case err != nil:
		p := problem.From(err, locateInBody)
		p.RequestID = audit.RequestIDOf(r.Context())
		trailOf(r.Context()).problem = p
		s.logServerError(r.Context(), p, err)
		events.write(api.OperationEvent{Type: api.TypeError, Problem: p})
	default:
		events.write(api.ResultEvent(result))
	}
	return nil
}

// startHeartbeats writes a heartbeat each interval until stop is called. stop waits for the
// last heartbeat. startHeartbeats calls leave if the client does not read a heartbeat in
// time: without progress, the operation itself cannot detect the disconnect. It also calls
// leave, with the reason, when the caller loses its rights.
func (o *operationStream) startHeartbeats(interval time.Duration, revoked *callers.Revocation, leave context.CancelCauseFunc) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		ticks, stopTicks := revoked.Ticks()
		defer stopTicks()
		document := api.Encode(api.OperationEvent{Type: api.TypeHeartbeat})
		for {
			var lost error
			select {
			case <-quit:
				return
			case <-revoked.Changed():
				lost = revoked.Check()
			case <-ticks:
				lost = revoked.Check()
			case <-ticker.C:
				o.mu.Lock()
				o.out.Heartbeat(document)
				err := o.out.Err()
				o.mu.Unlock()
				if err != nil {
					leave(context.Canceled)
					return
				}
			}
			if lost != nil {
				leave(lost)
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// progress writes progress, and reports whether the client still reads.
func (o *operationStream) progress(p operation.Progress) bool { return o.write(api.ProgressEvent(p)) }

// write writes one event, and reports whether the client still reads.
func (o *operationStream) write(event api.OperationEvent) bool {
	document := api.Encode(event)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.out.Write(stream.Frame{Type: event.Type}, document)
	o.out.Flush()
	return o.out.Err() == nil
}
