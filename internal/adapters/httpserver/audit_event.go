package httpserver

import (
	"net/http"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/clientaddr"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/audit"
)

// newEvent returns an event with the fields of the request that are known so far.
func (t *auditTrail) newEvent() audit.Event {
	r, event := t.request, t.event
	event.Time, event.DurationMS = t.started.UTC(), t.server.cfg.Clock().Sub(t.started).Milliseconds()
	event.RequestID, event.Node = audit.RequestIDOf(r.Context()), t.server.self().String()
	event.RemoteAddr, event.UserAgent, event.HTTPMethod = remoteAddr(r), r.UserAgent(), r.Method
	event.Action = "none"
	if t.match.route != nil {
		event.Action = t.match.route.ID
		if strings.Contains(t.match.route.Path, gameIDSegment) {
			event.GameID = t.match.variable
		} else if event.Target == "" {
			event.Target = t.match.target()
		}
	}
	identity := access.FromContext(r.Context())
	event.Actor, event.AuthMethod, event.Groups = identity.Subject, string(identity.Method), identity.Groups
	if !identity.Via.IsZero() {
		event.Via = identity.Via.String()
	}
	if event.AuthMethod == "" {
		event.AuthMethod = audit.MethodNone
	}
	t.addClaims(&event)
	return event
}

// addClaims adds what the client states in headers, unless the event has it already. Without
// authentication that includes the actor and the node that has forwarded the request.
func (t *auditTrail) addClaims(event *audit.Event) {
	claims := map[string]*string{api.HeaderReason: &event.Reason, api.HeaderIdempotencyKey: &event.OperationID}
	if !t.server.hasAuthentication() {
		claims[api.HeaderActor], claims[api.HeaderForwarded], claims[api.HeaderFederated] = &event.Actor, &event.Via, &event.Via
	}
	for name, member := range claims {
		if text, isValid := api.DecodeHeaderText(t.request.Header.Get(name)); isValid && *member == "" {
			*member = text
		}
	}
}

// outcome derives the outcome of the request from its response.
func (t *auditTrail) outcome() audit.Outcome {
	status, code := t.status, api.Code("")
	if t.problem != nil {
		status, code = t.problem.Status, t.problem.Code
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, code == api.CodeHostRejected:
		return audit.OutcomeDenied
	case status == 0, status == http.StatusAccepted, code == api.CodeOutcomeUnknown, t.isStream && t.isForwarded:
		return audit.OutcomeUnknown
	case status >= http.StatusBadRequest:
		return audit.OutcomeFailed
	default:
		return audit.OutcomeSucceeded
	}
}

// isStreamMedia reports whether a response of the media type has the outcome at its end.
func isStreamMedia(media string) bool {
	return media == api.EventStreamMediaType || media == api.NDJSONMediaType
}

// remoteAddr returns the IP address of the client's connection.
func remoteAddr(r *http.Request) string {
	if addr := clientaddr.Parse(r.RemoteAddr); addr.IsValid() {
		return addr.String()
	}
	return r.RemoteAddr
}
