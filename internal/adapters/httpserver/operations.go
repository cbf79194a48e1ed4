package httpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/stream"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// operationInput is the request of an operation, without its body.
type operationInput struct {
	gameInput
	originInput
	reasonInput
	Wait      waitMode `query:"wait" enum:"done,running,accepted" default:"done" doc:"When to respond: when the operation has ended, when the record is running, or once the operation is accepted. The operation continues in any case"`
	Prefer    string   `header:"Prefer" list:"true" doc:"respond-async responds as wait=accepted does, unless wait is given"`
	Accept    string   `header:"Accept" list:"true" hidden:"true"`
	Forwarded string   `header:"Rtmanager-Forwarded" hidden:"true"`
	Reserved  string   `header:"Rtmanager-Reserved" hidden:"true"`
}

type (
	startInput struct {
		operationInput
		DryRun bool                           `query:"dry_run" doc:"Only report on which node the game would be started, and why, as placement of the result. Nothing is done or reserved"`
		Body   request.Body[api.StartRequest] `body:"optional"`
	}
	patchInput struct {
		operationInput
		Body request.Body[api.PatchRequest] `body:"required"`
	}
	stopInput struct {
		operationInput
		Body request.Body[api.StopRequest] `body:"optional"`
	}
	moveInput struct {
		operationInput
		Body request.Body[api.MoveRequest] `body:"required"`
	}
	emptyInput struct {
		operationInput
		Body request.Body[api.EmptyRequest] `body:"optional"`
	}
)

// tooManyOperations is the detail of a request that is rejected by the limit of operations.
const tooManyOperations = "this server has reached its limit of requests that wait for operations, or this caller half of it"

// waitMode is how long a request waits for its operation.
type waitMode string

const (
	waitDone     waitMode = "done"
	waitRunning  waitMode = "running"
	waitAccepted waitMode = "accepted"
)

// isReached reports whether the progress of an operation ends the wait.
func (w waitMode) isReached(p operation.Progress) bool {
	return w == waitAccepted || w == waitRunning && p.Step == operation.StepAwaitingHealth
}

// startGame handles POST /v1/runtimes/{game_id}/start.
func (s *Server) startGame(w http.ResponseWriter, r *http.Request, in *startInput) error {
	body := in.Body.Value
	request := ports.OperationRequest{Kind: operation.KindStart, Pull: body.Pull}
	specMembers := len(in.Body.Members)
	if in.Body.Members["pull"] {
		specMembers--
	}
	for name, value := range map[string]string{"region": body.Region, "node": body.Node} {
		if !in.Body.Members[name] {
			continue
		}
		specMembers--
		if value == "" {
			return problem.Invalid(api.Fault{Location: "body." + name, Message: "is empty; omit it to allow any"})
		}
	}
	if in.Body.Members["labels"] {
		specMembers--
		request.Labels = body.Labels
		if err := runtime.ValidateLabels("labels", body.Labels); err != nil {
			return err
		}
		if s.hasAuthentication() { // the game gets these labels: the caller needs the rights for them as well
			r = callers.With(r, callers.Of(r.Context()).ForLabels(body.Labels))
		}
	}
	if in.Body.Members["metadata"] {
		specMembers--
		request.Metadata = body.Metadata
		if err := body.Metadata.Validate("metadata"); err != nil {
			return err
		}
	}
	if specMembers > 0 {
		if err := validateSpec(body.Spec); err != nil {
			return err
		}
		request.Spec = &body.Spec
	}
	if err := checkRegions(r, body.Regions, in.GameID); err != nil {
		return err
	}
	if in.DryRun {
		request.GameID = in.GameID
		return s.explainPlacement(w, r, request, node.Ref{Region: body.Region, Name: body.Node})
	}
	return s.runOperation(w, r, &in.operationInput, operationCall{
		request: request, body: in.Body.Raw, requested: node.Ref{Region: body.Region, Name: body.Node},
	})
}

// checkRegions returns access.ErrForbidden unless the caller could start the game itself in all
// regions of its spec.
func checkRegions(r *http.Request, regions []string, gameID string) error {
	for _, region := range regions {
		if err := callers.Of(r.Context()).CheckPlacement(access.PermissionOperate, region, gameID); err != nil {
			return err
		}
	}
	return nil
}

// explainPlacement responds with the node on which a start would run the game.
func (s *Server) explainPlacement(w http.ResponseWriter, r *http.Request, request ports.OperationRequest, requested node.Ref) error {
	caller := callers.Of(r.Context())
	if err := caller.CheckPlacement(access.PermissionOperate, cmp.Or(requested.Region, s.cfg.Region), request.GameID); err != nil {
		return err
	}
	request.Origin.OperationID = operation.NewID()
	ctx, cancel := context.WithTimeout(r.Context(), s.requestTimeout())
	defer cancel()
	found, err := s.cfg.Cluster.ExplainPlacement(ctx, request, requested)
	if err != nil {
		return err
	}
	if err := caller.CheckPlacement(access.PermissionOperate, found.Region, request.GameID); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.OperationResult{
		OperationID: request.Origin.OperationID, Kind: operation.KindStart, GameID: request.GameID, Step: operation.StepFinished,
		Placement: api.PlacementFrom(found),
	})
}

// validateSpec validates a spec that may omit the image. Without an image the node runs the
// previous one.
func validateSpec(spec operation.Spec) error {
	if spec.Image == "" {
		spec.Image = "previous"
	}
	return spec.Validate()
}

// patchGame handles POST /v1/runtimes/{game_id}/patch.
func (s *Server) patchGame(w http.ResponseWriter, r *http.Request, in *patchInput) error {
	body := in.Body.Value
	if body.Spec == nil || body.Image != "" {
		if err := operation.ValidateImage(body.Image); err != nil {
			return err
		}
	}
	if body.Spec != nil {
		if err := validateSpec(*body.Spec); err != nil {
			return problem.From(err, func(field string) string { return "body.spec." + field })
		}
		if err := checkRegions(r, body.Spec.Regions, in.GameID); err != nil {
			return err
		}
	}
	request := ports.OperationRequest{Kind: operation.KindPatch, Spec: body.Spec, Image: body.Image, Force: body.Force, Pull: body.Pull}
	return s.runOperation(w, r, &in.operationInput, operationCall{request: request, body: in.Body.Raw})
}

// stopGame handles POST /v1/runtimes/{game_id}/stop.
func (s *Server) stopGame(w http.ResponseWriter, r *http.Request, in *stopInput) error {
	request := ports.OperationRequest{Kind: operation.KindStop}
	if grace := in.Body.Value.Grace; grace != nil {
		if *grace < 0 || *grace > operation.MaxStopGrace {
			return problem.Invalid(api.Fault{Location: "body.grace", Message: fmt.Sprintf("%s is not from 0s to %s", time.Duration(*grace), time.Duration(operation.MaxStopGrace))})
		}
		request.StopGrace = (*time.Duration)(grace)
	}
	return s.runOperation(w, r, &in.operationInput, operationCall{request: request, body: in.Body.Raw})
}

// moveGame handles POST /v1/runtimes/{game_id}/move.
func (s *Server) moveGame(w http.ResponseWriter, r *http.Request, in *moveInput) error {
	body := in.Body.Value
	for name, value := range map[string]string{"region": body.Region, "node": body.Node} {
		if in.Body.Members[name] && value == "" {
			return problem.Invalid(api.Fault{Location: "body." + name, Message: "is empty; name the node to which the game is to be moved"})
		}
	}
	if body.Region != "" {
		// The caller could not start the game there itself.
		if err := callers.Of(r.Context()).CheckPlacement(access.PermissionOperate, body.Region, in.GameID); err != nil {
			return err
		}
	}
	request := ports.OperationRequest{Kind: operation.KindMove, Target: &node.Ref{Region: body.Region, Name: body.Node}, Force: body.Force}
	return s.runOperation(w, r, &in.operationInput, operationCall{request: request, body: in.Body.Raw})
}

// plainOperationHandler returns the handler of an operation without options.
func plainOperationHandler(kind operation.Kind) func(*Server, http.ResponseWriter, *http.Request, *emptyInput) error {
	return func(s *Server, w http.ResponseWriter, r *http.Request, in *emptyInput) error {
		return s.runOperation(w, r, &in.operationInput, operationCall{request: ports.OperationRequest{Kind: kind}, body: in.Body.Raw})
	}
}

// operationCall is the decoded request of an operation.
type operationCall struct {
	request ports.OperationRequest
	body    []byte // as it was received
	// requested is the node or region in which a game without a node is started. Its region,
	// its name or both may be empty.
	requested node.Ref
}

// runOperation adds the game id and the origin to the request of an operation, and executes
// or forwards it.
func (s *Server) runOperation(w http.ResponseWriter, r *http.Request, in *operationInput, call operationCall) error {
	origin, err := in.origin(in.Reason)
	if err != nil {
		return err
	}
	if origin.OperationID == "" {
		// Generate the id before a forward: the response of the other node can be lost, and the
		// client then repeats the request with this id.
		origin.OperationID = operation.NewID()
	}
	if err := origin.Validate(); err != nil {
		return err
	}
	if isAsyncPreferred(in.Prefer) && !r.URL.Query().Has("wait") {
		in.Wait = waitAccepted
		w.Header().Set("Preference-Applied", "respond-async")
	}
	request := call.request
	request.GameID, request.Origin = in.GameID, origin
	trailOf(r.Context()).event.OperationID = origin.OperationID
	if s.isShuttingDown() {
		return problem.ErrShuttingDown
	}
	if region := call.requested.Region; region != "" {
		// Before a request to the nodes of that region.
		if err := callers.Of(r.Context()).CheckPlacement(access.PermissionOperate, region, in.GameID); err != nil {
			return err
		}
	}
	// The deadline of the request is that of the operation, which has not started yet.
	routing, cancel := context.WithTimeout(r.Context(), s.requestTimeout())
	target, release, err := s.cfg.Cluster.Route(routing, &request, call.requested, in.Forwarded != "")
	cancel()
	hasReached := release == nil
	defer func() {
		if !hasReached {
			release()
		}
	}()
	if err != nil {
		s.logRejection(request, err)
		return err
	}
	region := s.cfg.Region
	if target != nil {
		region = target.Region
	}
	if err := callers.Of(r.Context()).CheckPlacement(access.PermissionOperate, region, in.GameID); err != nil {
		return err
	}
	leave, isAcquired := s.operations.acquire(callers.Of(r.Context()).Identity)
	if !isAcquired {
		return problem.New(api.CodeTooManyOperations, tooManyOperations)
	}
	defer leave()
	request.AnyNode = request.Kind == operation.KindStart && call.requested.Name == ""
	request.IsReserved = release != nil || in.Forwarded != "" && in.Reserved != ""
	if target != nil {
		hasArrived, err := s.forwardOperation(w, r, *target, request, call.body, in.Wait)
		hasReached = hasReached || hasArrived
		return err
	}
	hasReached = true
	x := execution{request: request, wait: in.Wait}
	if format, isStream := stream.ChooseOptional(in.Accept); isStream {
		return s.streamOperation(w, r, x, format)
	}
	return s.executeOperation(w, r, x)
}

// executeOperation executes the operation here, and responds in one piece. It no longer waits when
// the caller loses its rights; the operation continues.
func (s *Server) executeOperation(w http.ResponseWriter, r *http.Request, x execution) error {
	ctx, leave := context.WithCancelCause(r.Context())
	defer leave(nil)
	stop := callers.NewRevocation(ctx, s.cfg.Access).Watch(leave)
	result, err := s.execute(ctx, x)
	stop()
	if err != nil {
		s.logRejection(x.request, err)
		return err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
	status := http.StatusOK
	if x.wait == waitAccepted && result.Outcome == nil {
		status = http.StatusAccepted
		w.Header().Set("Location", operationPath(x.request.GameID, x.request.Origin.OperationID))
	}
	return writeJSON(w, status, result)
}

// logRejection logs a warning for a request that ended without an operation. The executor
// logs the operations themselves, one line each.
func (s *Server) logRejection(request ports.OperationRequest, err error) {
	var p *api.Problem
	if errors.As(err, &p) && p.OperationID != "" {
		return // the operation failed, or it continues after this request
	}
	s.cfg.Logger.Warn("operation rejected", "operation", request.Kind, "game_id", request.GameID,
		"actor", request.Origin.Actor, "operation_id", request.Origin.OperationID, "error", err)
}
