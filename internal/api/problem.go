package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// ProblemMediaType is the media type of every error response (RFC 9457).
const ProblemMediaType = "application/problem+json"

// ProblemTypePrefix is the start of a problem's type; the code follows.
const ProblemTypePrefix = "urn:rtmanager:problem:"

// Code is the stable identifier of a kind of problem, for programs.
type Code string

// Codes of requests, records and the store.
const (
	CodeInvalid              Code = "invalid"
	CodeNotFound             Code = "not_found"
	CodeNoSuchRoute          Code = "no_such_route"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeNotAcceptable        Code = "not_acceptable"
	CodeConflict             Code = "conflict"
	CodePreconditionFailed   Code = "precondition_failed"
	CodeInvalidTransition    Code = "invalid_transition"
	CodePayloadTooLarge      Code = "payload_too_large"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeRequestTimeout       Code = "request_timeout"
	CodeTooManyStreams       Code = "too_many_streams"
	CodeHostRejected         Code = "host_rejected"
	CodeCrossOrigin          Code = "cross_origin"
	CodeCompacted            Code = "compacted"
	CodeForeignRevision      Code = "foreign_revision"
	CodeReadOnly             Code = "read_only"
	CodeUnavailable          Code = "unavailable"
	CodeOutcomeUnknown       Code = "outcome_unknown"
	CodeFenced               Code = "fenced"
	CodeCorrupt              Code = "corrupt"
	CodeIncompatible         Code = "incompatible"
	CodeInternal             Code = "internal"
	// CodePartial: a node or a store whose part of the result is missing, and the request does
	// not allow that.
	CodePartial Code = "partial"
	// CodeAuditUnavailable: the request must be recorded, and the audit log cannot store it.
	CodeAuditUnavailable Code = "audit_unavailable"
	// CodeArchiveUnavailable: the archive of deleted games has not accepted the game.
	CodeArchiveUnavailable Code = "archive_unavailable"
	// CodeRateLimited: the caller exceeds one of its limits.
	CodeRateLimited Code = "rate_limited"
)

// Codes of other stores.
const (
	// CodeNoSuchStore: the daemon federates no store of the name.
	CodeNoSuchStore Code = "no_such_store"
	// CodeStoreUnusable: the other store cannot be used, and nothing was done.
	CodeStoreUnusable Code = "store_unusable"
)

// Codes of authentication and authorization.
const (
	// CodeUnauthenticated: the caller has proven no identity.
	CodeUnauthenticated Code = "unauthenticated"
	// CodeForbidden: the caller lacks the permission.
	CodeForbidden Code = "forbidden"
	// CodeNoSuchSubject: no token or role binding has the name.
	CodeNoSuchSubject Code = "no_such_subject"
	// CodeTokenExists: a token of the name exists.
	CodeTokenExists Code = "token_exists"
)

// Codes of operations, engines and nodes.
const (
	CodeBusy     Code = "busy"
	CodeRejected Code = "rejected"
	// CodeManaged: a node manages the game, and would correct the record.
	CodeManaged Code = "managed"
	// CodePreempted: a stop preempted the operation.
	CodePreempted Code = "preempted"
	// CodeCanceled: a request canceled the operation.
	CodeCanceled Code = "canceled"
	// CodeNoSuchRollout: there is no rollout of the id.
	CodeNoSuchRollout Code = "no_such_rollout"
	// CodeRolloutConflict: the state of the rollout, or another rollout, does not allow the request.
	CodeRolloutConflict Code = "rollout_conflict"
	// CodeNoSuchOperation: the operation is neither in progress nor among the recent ones.
	CodeNoSuchOperation Code = "no_such_operation"
	// CodeIdempotencyKeyReused: the Idempotency-Key belongs to another request.
	CodeIdempotencyKeyReused Code = "idempotency_key_reused"
	CodeNoImage              Code = "no_image"
	CodeRegistryUnreachable  Code = "registry_unreachable"
	CodeStartFailed          Code = "start_failed"
	CodeOperationFailed      Code = "operation_failed"
	CodeEngineUnavailable    Code = "engine_unavailable"
	CodeNoEngine             Code = "no_engine"
	CodeNodeUnreachable      Code = "node_unreachable"
	CodeMisrouted            Code = "misrouted"
	CodeTooManyOperations    Code = "too_many_operations"
	// CodeNoCapacity: no node has space for the game, or fits it.
	CodeNoCapacity Code = "no_capacity"
)

// Codes of the members of etcd.
const (
	// CodeNoSuchMember: the cluster has no member of the name.
	CodeNoSuchMember Code = "no_such_member"
	// CodeUnsafeRemoval: the removal of the member would lose quorum, or is probably a mistake.
	CodeUnsafeRemoval Code = "unsafe_removal"
	// CodeNoQuorum: too few members of etcd respond to change them; nothing was changed.
	CodeNoQuorum Code = "no_quorum"
)

// Codes of secrets.
const (
	CodeSecretNotFound Code = "secret_not_found"
	// CodeSecretInUse: a game references the secret.
	CodeSecretInUse Code = "secret_in_use"
	// CodeSecretUnreadable: the keys of the daemon do not decrypt the secret.
	CodeSecretUnreadable Code = "secret_unreadable"
	// CodeSecretUnresolved: a secret of the game cannot be provided, so it is not started.
	CodeSecretUnresolved Code = "secret_unresolved"
	// CodeNoSecretKeys: the daemon has no keys for secrets.
	CodeNoSecretKeys Code = "no_secret_keys"
)

// Problem is an error response. Members that do not apply are absent.
type Problem struct { //nolint:errname // RFC 9457 calls it a problem
	Type   string `json:"type" doc:"Stable URI of the problem type: urn:rtmanager:problem:<code>"`
	Title  string `json:"title" doc:"A description of the problem type; the same for every occurrence"`
	Status int    `json:"status" doc:"The HTTP status code"`
	Detail string `json:"detail,omitempty" doc:"A description of this occurrence"`
	Code   Code   `json:"code" doc:"The stable identifier, for programs"`

	RequestID string `json:"request_id,omitempty" doc:"The request, as in the header X-Request-Id, in the log and in the audit log"`

	Errors []Fault `json:"errors,omitempty" nullable:"false" doc:"Of invalid: each fault of the request"`

	Precondition runtime.Precondition   `json:"precondition,omitempty" doc:"Of a conflict: the property that did not match"`
	Expected     string                 `json:"expected,omitempty" doc:"Of a conflict: the expected value"`
	Actual       string                 `json:"actual,omitempty" doc:"Of a conflict: the actual value"`
	Current      *runtime.RuntimeRecord `json:"current,omitempty" doc:"Of a conflict: the current record"`
	Revision     int64                  `json:"revision,omitempty" doc:"Of a conflict: the revision of the current record"`

	From runtime.Status `json:"from,omitempty" doc:"Of invalid_transition: the status before"`
	To   runtime.Status `json:"to,omitempty" doc:"Of invalid_transition: the status after"`

	Key    string `json:"key,omitempty" doc:"Of corrupt: the key of the value"`
	Reason string `json:"reason,omitempty" doc:"Of corrupt, rejected or unsafe_removal: the reason"`
	GameID string `json:"game_id,omitempty" doc:"The game"`

	Member   string `json:"member,omitempty" doc:"Of unsafe_removal: the member"`
	CanForce bool   `json:"can_force,omitempty" doc:"Of unsafe_removal: whether force=true removes the member nevertheless"`

	OperationID string             `json:"operation_id,omitempty" doc:"The operation; of busy, the one in progress"`
	Kind        string             `json:"kind,omitempty" enum:"start,stop,restart,patch,cleanup,reschedule,release,delete" doc:"The kind of that operation"`
	Step        operation.Step     `json:"step,omitempty" doc:"The latest step of that operation"`
	Holder      string             `json:"holder,omitempty" doc:"Of busy: the node REGION/NODE that executes the operation"`
	Actor       string             `json:"actor,omitempty" doc:"Of busy: the actor that requested the operation"`
	Since       *time.Time         `json:"since,omitempty" doc:"Of busy: the start of the operation"`
	GameStatus  runtime.Status     `json:"game_status,omitempty" doc:"Of rejected: the status of the game"`
	Outcome     *operation.Outcome `json:"outcome,omitempty" doc:"The outcome of an operation that failed"`
	Region      string             `json:"region,omitempty" doc:"Of node_unreachable, misrouted or outcome_unknown: the region of the node"`
	Node        string             `json:"node,omitempty" doc:"Of node_unreachable, misrouted or outcome_unknown: the name of the node"`

	Store   string                `json:"store,omitempty" doc:"Of no_such_store, store_unusable or outcome_unknown: the other store"`
	Missing []runtime.MissingPart `json:"missing,omitempty" nullable:"false" doc:"Of partial: the missing parts"`
}

// Fault is one fault of a request.
type Fault struct {
	Location string `json:"location" doc:"The place: path, query, header or body, a dot, and the name"`
	Message  string `json:"message" doc:"The fault"`
}

// Error returns the detail, or the title if the detail is empty. It makes a Problem an error.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}
