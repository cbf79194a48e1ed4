package httpserver

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/domain/node"
)

// appendTimeout bounds how long a response waits for the audit log.
const appendTimeout = 10 * time.Second

// auditTrail records one request in the audit log. It decorates the response: the event is
// stored before the response starts, and for a stream when the request ends. The zero trail
// records nothing.
type auditTrail struct {
	server  *Server // nil: nothing is recorded
	request *http.Request
	started time.Time
	match   routeMatch // zero before the route is found
	problem *api.Problem
	status  int // of the response; 0 for none
	// event has what handlers add to the event.
	event                 audit.Event
	isStream, isForwarded bool
	// isRecorded means that the final event was appended.
	isRecorded bool
}

// newAuditTrail returns the trail of a request.
func (s *Server) newAuditTrail(r *http.Request) auditTrail {
	if s.cfg.Audit == nil {
		return auditTrail{}
	}
	return auditTrail{server: s, request: r, started: s.cfg.Clock()}
}

type trailKey struct{}

// trailOf returns the trail to which a handler adds what it knows.
func trailOf(ctx context.Context) *auditTrail {
	if trail, isSet := ctx.Value(trailKey{}).(*auditTrail); isSet {
		return trail
	}
	return &auditTrail{} // records nothing
}

// isAudited reports whether the requests of the route are recorded, not only the denied ones.
func (r *Route) isAudited() bool {
	return r.isSecret || !r.isRead && r.Method != http.MethodGet
}

// setRoute adds the route of the request, and the caller in its context.
func (t *auditTrail) setRoute(r *http.Request, match routeMatch) { t.request, t.match = r, match }

// begin returns the request with the trail in its context, or an error that wraps
// audit.ErrUnavailable if the request must be recorded and cannot be. A request that may
// take long gets an event of its start: a crash of the daemon loses its end.
func (t *auditTrail) begin(r *http.Request) (*http.Request, error) {
	if t.server == nil || !t.match.route.isAudited() {
		return r, nil
	}
	if err := t.server.cfg.Audit.Check(); err != nil {
		return r, err
	}
	t.request = r.WithContext(context.WithValue(r.Context(), trailKey{}, t))
	if !t.match.route.isDrained {
		return t.request, nil
	}
	return t.request, t.start()
}

// respond records the request when its response starts, unless it is a stream.
func (t *auditTrail) respond(status int, header http.Header) {
	t.status, t.isStream = status, isStreamMedia(header.Get("Content-Type"))
	if t.server == nil || t.isStream {
		return
	}
	if revision, err := strconv.ParseInt(strings.Trim(header.Get("ETag"), `"`), 10, 64); err == nil {
		t.event.Revision = revision
	}
	t.finish()
}

// start records that the request starts to have an effect that takes long. It returns an error that wraps
// audit.ErrUnavailable if that cannot be recorded.
func (t *auditTrail) start() error {
	if t.server == nil {
		return nil
	}
	event := t.newEvent()
	event.Stage, event.Outcome = audit.StageStarted, audit.OutcomePending
	err := t.append(event)
	t.event.HasStart = err == nil
	return err
}

// upgrade notes that the response is an upgrade of the connection. It is recorded when the request ends.
func (t *auditTrail) upgrade() { t.status, t.isStream = http.StatusSwitchingProtocols, true }

// describe adds what the request concerns, and a description of the change.
func (t *auditTrail) describe(target, change string) { t.event.Target, t.event.Detail = target, change }

// forward records the node that executes the request. Of a stream, only its audit log has
// the outcome.
func (t *auditTrail) forward(target node.Ref) {
	t.isForwarded = true
	t.event.Target, t.event.Region = target.String(), target.Region
	if t.event.Detail != "" {
		t.event.Detail += "; "
	}
	t.event.Detail += "forwarded to " + target.String() + ", whose audit log has the same request id"
}

// forwardToStore records the store that carries out the request.
func (t *auditTrail) forwardToStore(store string) {
	t.isForwarded = true
	t.event.Target = "store " + store
	t.event.Detail = "forwarded to store " + store + ", whose audit log has the same request id"
}

// abort records a request whose response has ended early.
func (t *auditTrail) abort() {
	t.status = 0
	t.finish()
}

// finish records the request, once, if it is to be recorded.
func (t *auditTrail) finish() {
	if t.server == nil || t.isRecorded || t.isRejectedEarly() {
		return
	}
	outcome := t.outcome()
	if outcome != audit.OutcomeDenied && (t.match.route == nil || !t.match.route.isAudited()) {
		return
	}
	t.isRecorded = true
	event := t.newEvent()
	event.Stage, event.Outcome, event.Status = audit.StageCompleted, outcome, t.status
	if t.problem != nil {
		event.Code, event.Detail = string(t.problem.Code), t.problem.Detail
		if event.OperationID == "" {
			event.OperationID = t.problem.OperationID
		}
	}
	if err := t.append(event); err != nil {
		// The log is the only record left of what has been done.
		t.server.cfg.Logger.Error("the audit log has not stored an event", "error", err, "event", string(api.Encode(event.Clipped())))
	}
}

// isRejectedEarly reports whether the request was rejected because of a limit or of the audit
// log itself. Such a rejection has no effect, must cost little, and is counted by metrics.
func (t *auditTrail) isRejectedEarly() bool {
	return t.problem != nil && (t.problem.Code == api.CodeRateLimited || t.problem.Code == api.CodeAuditUnavailable)
}

// append stores the event. The client may have disconnected.
func (t *auditTrail) append(event audit.Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.request.Context()), appendTimeout)
	defer cancel()
	return t.server.cfg.Audit.Append(ctx, event)
}
