// Package api holds what the REST server and its client both say: the JSON
// shapes of /v1 and their conversion to and from the ports' types. It decides
// nothing.
package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// ProblemMediaType is the media type of every error (RFC 9457).
const ProblemMediaType = "application/problem+json"

// The codes of problems: the stable word that a program acts on. A problem's
// type is ProblemTypePrefix followed by its code.
const (
	ProblemTypePrefix = "urn:rtmanager:problem:"

	CodeInvalid              = "invalid"
	CodeNotFound             = "not_found"
	CodeNoSuchRoute          = "no_such_route"
	CodeMethodNotAllowed     = "method_not_allowed"
	CodeNotAcceptable        = "not_acceptable"
	CodeConflict             = "conflict"
	CodePreconditionFailed   = "precondition_failed"
	CodeInvalidTransition    = "invalid_transition"
	CodePayloadTooLarge      = "payload_too_large"
	CodeUnsupportedMediaType = "unsupported_media_type"
	CodeRequestTimeout       = "request_timeout"
	CodeTooManyStreams       = "too_many_streams"
	CodeHostRefused          = "host_refused"
	CodeCrossOrigin          = "cross_origin"
	CodeCompacted            = "compacted"
	CodeForeignRevision      = "foreign_revision"
	CodeReadOnly             = "read_only"
	CodeUnavailable          = "unavailable"
	CodeOutcomeUnknown       = "outcome_unknown"
	CodeFenced               = "fenced"
	CodeCorrupt              = "corrupt"
	CodeIncompatible         = "incompatible"
	CodeInternal             = "internal"

	CodeBusy              = "busy"
	CodeRefused           = "refused"
	CodeNoImage           = "no_image"
	CodeStartFailed       = "start_failed"
	CodeOperationFailed   = "operation_failed"
	CodeEngineUnavailable = "engine_unavailable"
	CodeNoEngine          = "no_engine"
	CodeNodeUnreachable   = "node_unreachable"
	CodeMisrouted         = "misrouted"
	CodeTooManyOperations = "too_many_operations"
)

// Problem is an error as the API tells it. Members that do not apply are absent.
type Problem struct { //nolint:errname // a document first, and "problem" is what RFC 9457 calls it
	Type   string `json:"type" doc:"Stable URI of the kind of problem: urn:rtmanager:problem:<code>"`
	Title  string `json:"title" doc:"The kind of problem in words; the same for every occurrence"`
	Status int    `json:"status" doc:"HTTP status code"`
	Detail string `json:"detail,omitempty" doc:"What happened this time"`
	Code   string `json:"code" doc:"Stable word that a program can act on"`

	Errors []Fault `json:"errors,omitempty" nullable:"false" doc:"Each fault of an invalid request, with its place"`

	Expectation string                 `json:"expectation,omitempty" doc:"What was expected: status, container_id or revision"`
	Expected    string                 `json:"expected,omitempty" doc:"The value that was expected"`
	Actual      string                 `json:"actual,omitempty" doc:"The value that was found"`
	Current     *runtime.RuntimeRecord `json:"current,omitempty" doc:"The record that stands"`
	Revision    int64                  `json:"revision,omitempty" doc:"The revision at which the record that stands was last changed"`

	From string `json:"from,omitempty" doc:"The status of a transition that is not allowed"`
	To   string `json:"to,omitempty" doc:"The status that may not follow it"`

	Key    string `json:"key,omitempty" doc:"The key of a damaged value"`
	Reason string `json:"reason,omitempty" doc:"Why a damaged value could not be read, or what an operation was refused for"`
	GameID string `json:"game_id,omitempty" doc:"The game that the problem is about"`

	OperationID string             `json:"operation_id,omitempty" doc:"The operation that the problem is about; of busy, the one in the way"`
	Kind        string             `json:"kind,omitempty" doc:"What that operation does"`
	Step        string             `json:"step,omitempty" doc:"How far that operation had come"`
	Holder      string             `json:"holder,omitempty" doc:"Of busy: REGION/NODE that carries the operation out"`
	Actor       string             `json:"actor,omitempty" doc:"Of busy: who asked for the operation"`
	Since       *time.Time         `json:"since,omitempty" doc:"Of busy: when it began"`
	GameStatus  runtime.Status     `json:"game_status,omitempty" doc:"Of refused: the status that was in the way"`
	Outcome     *operation.Outcome `json:"outcome,omitempty" doc:"How an operation that failed ended"`
	Region      string             `json:"region,omitempty" doc:"The region of the node that was not reached"`
	Node        string             `json:"node,omitempty" doc:"The node that was not reached"`
}

// Fault is one thing wrong with a request.
type Fault struct {
	Location string `json:"location" doc:"Where: path, query, header or body, a dot, and the name"`
	Message  string `json:"message" doc:"What is wrong there"`
}

// Error makes a problem an error value; it reads as the problem's detail.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}

// GetStatus returns the HTTP status code.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType replaces any negotiated type: problems have one of their own.
func (p *Problem) ContentType(string) string { return ProblemMediaType }
