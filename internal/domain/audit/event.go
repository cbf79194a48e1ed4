package audit

import (
	"errors"
	"time"
)

// ErrUnavailable reports that the audit log cannot store events at present. Mutations are
// rejected until it can.
var ErrUnavailable = errors.New("the audit log is unavailable")

// Outcome is the result of an audited request.
type Outcome string

// The outcomes.
const (
	OutcomeSucceeded Outcome = "succeeded"
	OutcomeFailed    Outcome = "failed"
	// OutcomeDenied: the caller has no proven identity, or lacks the permission.
	OutcomeDenied Outcome = "denied"
	// OutcomeUnknown: the request may have an effect. An operation that continues after its
	// request, or on another node, has this outcome.
	OutcomeUnknown Outcome = "unknown"
	// OutcomePending is the outcome of an event with StageStarted.
	OutcomePending Outcome = "pending"
)

// Stage is the point of a request at which an event is recorded.
type Stage string

// The stages. A request that waits for an operation has an event of each stage, so that a
// crash of the daemon does not lose the request. Every other request has StageCompleted only.
const (
	StageStarted   Stage = "started"
	StageCompleted Stage = "completed"
)

// MethodNone is the Event.AuthMethod of a request without a proven identity. Its actor is
// the name that the client has given.
const MethodNone = "none"

// Event is one entry of the audit log. It contains no secret and no body of a request.
// Members that do not apply are empty.
type Event struct {
	// Time is when the request arrived.
	Time  time.Time `json:"time"`
	Stage Stage     `json:"stage"`
	// RequestID is the value of the header X-Request-Id of the response.
	RequestID string `json:"request_id"`
	// Node is the REGION/NODE of the daemon that recorded the event.
	Node string `json:"node"`

	// Actor is the subject of the caller, such as user:anna, AuthMethod how it was proven,
	// and Groups the groups of the caller.
	Actor      string   `json:"actor,omitempty"`
	AuthMethod string   `json:"auth_method,omitempty"`
	Groups     []string `json:"groups,omitempty"`
	// RemoteAddr is the IP address of the connection, or the network of denied requests that
	// are counted together.
	RemoteAddr string `json:"remote_addr"`
	// Via is the REGION/NODE of the daemon that forwarded the request.
	Via       string `json:"via,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`

	// Action is the operation id of the route in the OpenAPI document, such as stop-runtime.
	Action     string `json:"action"`
	HTTPMethod string `json:"http_method,omitempty"`
	GameID     string `json:"game_id,omitempty"`
	// Target names what the request concerns if that is no game: a secret, a token, a role.
	Target string `json:"target,omitempty"`
	Region string `json:"region,omitempty"`
	// Reason is the reason that the caller gave.
	Reason string `json:"reason,omitempty"`

	Outcome Outcome `json:"outcome"`
	// Status is the HTTP status, and Code the code of the problem.
	Status int    `json:"status,omitempty"`
	Code   string `json:"code,omitempty"`
	// Detail describes a failure, or the events that could not be stored.
	Detail string `json:"detail,omitempty"`
	// OperationID and Revision identify the effect of the request in the store.
	OperationID string `json:"operation_id,omitempty"`
	Revision    int64  `json:"revision,omitempty"`
	DurationMS  int64  `json:"duration_ms"`
	// Count is the number of requests that the event represents; 0 means 1.
	Count int64 `json:"count,omitempty"`
	// HasStart reports that the request has an event of StageStarted. It is not stored.
	HasStart bool `json:"-"`
}
