// Package problem converts errors to problem documents (RFC 9457) and writes them. It
// has the only table from errors to codes (errors.go), and the only table from codes to
// HTTP status codes and titles (problem.go).
//
// A new code needs:
//
//   - a constant in package api and a row in problemTypes,
//   - a row in errorCodes if it is the code of an error of the domain,
//   - an entry in the codes of each route that returns it, in httpserver's routes.go,
//   - a row in sentinelByCode of package httpclient.
package problem

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"galaxy/rtmanager/internal/api"
)

// problemType is the HTTP status and the title of all problems of one code.
type problemType struct {
	status int
	title  string
}

// problemTypes returns the problem type of every code.
var problemTypes = sync.OnceValue(func() map[api.Code]problemType {
	return map[api.Code]problemType{
		api.CodeInvalid:              {http.StatusBadRequest, "Invalid request"},
		api.CodeNotFound:             {http.StatusNotFound, "No such game"},
		api.CodeNoSuchRoute:          {http.StatusNotFound, "No such route"},
		api.CodeMethodNotAllowed:     {http.StatusMethodNotAllowed, "Method not allowed"},
		api.CodeNotAcceptable:        {http.StatusNotAcceptable, "Not acceptable"},
		api.CodeConflict:             {http.StatusConflict, "Record is not as expected"},
		api.CodePreconditionFailed:   {http.StatusPreconditionFailed, "Record has another revision"},
		api.CodeInvalidTransition:    {http.StatusUnprocessableEntity, "Transition is not allowed"},
		api.CodePayloadTooLarge:      {http.StatusRequestEntityTooLarge, "Payload too large"},
		api.CodeUnsupportedMediaType: {http.StatusUnsupportedMediaType, "Unsupported media type"},
		api.CodeRequestTimeout:       {http.StatusRequestTimeout, "Request timeout"},
		api.CodeTooManyStreams:       {http.StatusTooManyRequests, "Too many streams"},
		api.CodeHostRejected:         {http.StatusMisdirectedRequest, "Host rejected"},
		api.CodeCrossOrigin:          {http.StatusForbidden, "Cross-origin request rejected"},
		api.CodeCompacted:            {http.StatusGone, "Revision has been compacted"},
		api.CodeForeignRevision:      {http.StatusBadRequest, "Revision does not belong to this store"},
		api.CodeReadOnly:             {http.StatusInsufficientStorage, "Store is read-only"},
		api.CodeUnavailable:          {http.StatusServiceUnavailable, "Temporarily unavailable"},
		api.CodeOutcomeUnknown:       {http.StatusGatewayTimeout, "Outcome is unknown"},
		api.CodeFenced:               {http.StatusConflict, "Fence is no longer valid"},
		api.CodeCorrupt:              {http.StatusInternalServerError, "Stored value is corrupt"},
		api.CodeIncompatible:         {http.StatusServiceUnavailable, "Store is not compatible"},
		api.CodeInternal:             {http.StatusInternalServerError, "Internal error"},
		api.CodeRateLimited:          {http.StatusTooManyRequests, "Too many requests"},
		api.CodeArchiveUnavailable:   {http.StatusServiceUnavailable, "Archive is unavailable"},
		api.CodeAuditUnavailable:     {http.StatusServiceUnavailable, "Audit log is unavailable"},

		api.CodePartial:       {http.StatusServiceUnavailable, "Result would be partial"},
		api.CodeNoSuchStore:   {http.StatusNotFound, "No such store"},
		api.CodeStoreUnusable: {http.StatusBadGateway, "Other store cannot be used"},

		api.CodeUnauthenticated: {http.StatusUnauthorized, "Authentication is required"},
		api.CodeForbidden:       {http.StatusForbidden, "Permission denied"},
		api.CodeNoSuchSubject:   {http.StatusNotFound, "No such token or role binding"},
		api.CodeTokenExists:     {http.StatusConflict, "Token exists"},

		api.CodeBusy:                 {http.StatusConflict, "Game has an operation in progress"},
		api.CodeRejected:             {http.StatusConflict, "Operation does not fit the game's state"},
		api.CodeManaged:              {http.StatusConflict, "Record follows the game's container"},
		api.CodePreempted:            {http.StatusConflict, "Operation was preempted"},
		api.CodeCanceled:             {http.StatusConflict, "Operation was canceled"},
		api.CodeNoSuchRollout:        {http.StatusNotFound, "No such rollout"},
		api.CodeRolloutConflict:      {http.StatusConflict, "Rollout does not allow this"},
		api.CodeNoSuchOperation:      {http.StatusNotFound, "No such operation"},
		api.CodeNoImage:              {http.StatusUnprocessableEntity, "No such image"},
		api.CodeRegistryUnreachable:  {http.StatusServiceUnavailable, "Image registry is unreachable"},
		api.CodeStartFailed:          {http.StatusUnprocessableEntity, "Container failed to start"},
		api.CodeOperationFailed:      {http.StatusInternalServerError, "Operation failed"},
		api.CodeEngineUnavailable:    {http.StatusServiceUnavailable, "Engine is unavailable"},
		api.CodeIdempotencyKeyReused: {http.StatusUnprocessableEntity, "Idempotency key belongs to another request"},
		api.CodeNoEngine:             {http.StatusNotImplemented, "Not offered by this daemon"},
		api.CodeNodeUnreachable:      {http.StatusServiceUnavailable, "Node is not reachable"},
		api.CodeMisrouted:            {http.StatusMisdirectedRequest, "Request was forwarded to the wrong node"},
		api.CodeNoCapacity:           {http.StatusConflict, "No node fits the game"},
		api.CodeTooManyOperations:    {http.StatusTooManyRequests, "Too many operations"},

		api.CodeNoSuchMember:  {http.StatusNotFound, "No such member of etcd"},
		api.CodeUnsafeRemoval: {http.StatusConflict, "Removal of the member is unsafe"},
		api.CodeNoQuorum:      {http.StatusServiceUnavailable, "etcd has no quorum"},

		api.CodeSecretNotFound:   {http.StatusNotFound, "No such secret"},
		api.CodeSecretInUse:      {http.StatusConflict, "Secret is in use"},
		api.CodeSecretUnreadable: {http.StatusInternalServerError, "Secret cannot be decrypted"},
		api.CodeSecretUnresolved: {http.StatusUnprocessableEntity, "Secrets of the game cannot be provided"},
		api.CodeNoSecretKeys:     {http.StatusNotImplemented, "This daemon has no keys for secrets"},
	}
})

// internalDetail is the detail of an error that clients must not see.
const internalDetail = "see the server's log"

// New returns the problem of a code.
func New(code api.Code, detail string) *api.Problem {
	problemType := problemTypes()[code]
	return &api.Problem{Type: api.ProblemTypePrefix + string(code), Title: problemType.title, Status: problemType.status, Detail: detail, Code: code}
}

// Internal returns the problem of an error that clients must not see.
func Internal() *api.Problem { return New(api.CodeInternal, internalDetail) }

// Invalid returns the problem of a request with faults. The status is 422 if one of them
// is about a member of the body, and 400 otherwise.
func Invalid(faults ...api.Fault) *api.Problem {
	p := New(api.CodeInvalid, "")
	addFaults(p, faults)
	return p
}

// BadRequest returns the problem of one fault with the status 400, also for a fault in
// the body.
func BadRequest(location, format string, args ...any) *api.Problem {
	p := Invalid(api.Fault{Location: location, Message: fmt.Sprintf(format, args...)})
	p.Status = http.StatusBadRequest
	return p
}

// MaxFaults bounds the number of faults in a problem. A response with every fault of a body
// of 1 MiB would be many times larger than the body.
const MaxFaults = 100

func addFaults(p *api.Problem, faults []api.Fault) {
	if len(faults) == 0 {
		return
	}
	if len(faults) > MaxFaults {
		root, _, _ := strings.Cut(faults[MaxFaults].Location, ".")
		faults = append(faults[:MaxFaults:MaxFaults], api.Fault{Location: root, Message: "has further errors, which are omitted"})
	}
	p.Errors = faults
	texts := make([]string, len(faults))
	for i, f := range faults {
		texts[i] = f.Location + " " + f.Message
		if strings.HasPrefix(f.Location, "body") {
			p.Status = http.StatusUnprocessableEntity
		}
	}
	p.Detail = strings.Join(texts, "; ")
}

// retryAfter is how many seconds a client should wait before it retries.
const retryAfter = "1"

// Recorder is a response writer that records the problem of its response.
type Recorder interface{ RecordProblem(p *api.Problem) }

// Write responds with the problem. It sets the member request_id to the response's header
// X-Request-Id, and the header Retry-After unless it is set.
func Write(w http.ResponseWriter, p *api.Problem) {
	header := w.Header()
	header.Set("Content-Type", api.ProblemMediaType)
	if header.Get("Retry-After") == "" && (p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests) {
		header.Set("Retry-After", retryAfter)
	}
	p.RequestID = header.Get(api.HeaderRequestID)
	if recorder, ok := w.(Recorder); ok {
		recorder.RecordProblem(p)
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="rtmanager"`)
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // it fails only if the client has disconnected
}
