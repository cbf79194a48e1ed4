package httpserver

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

type operationInput struct {
	GameInput
	OriginInput
	Reason    string `header:"Rtmanager-Reason" doc:"Why, for the ledger; text beyond ASCII in the notation of RFC 8187"`
	Wait      string `query:"wait" enum:"done,running,accepted" default:"done" doc:"When to answer: when the operation is over, when the record says running, or as soon as it has been accepted. It goes on in any case"`
	Accept    string `header:"Accept" hidden:"true"`
	Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
}

// waitMode is how long a request waits for its operation.
type waitMode string

const (
	waitDone     waitMode = "done"
	waitRunning  waitMode = "running"
	waitAccepted waitMode = "accepted"
)

// isReached reports whether an operation that continues has come far enough.
func (w waitMode) isReached(p operation.Progress) bool {
	return w == waitAccepted || w == waitRunning && p.Step == operation.StepAwaitingHealth
}

// operate handles the requests for one kind of operation.
func (s *Server) operate(kind operation.Kind) func(context.Context, *operationInput) (*huma.StreamResponse, error) {
	return func(ctx context.Context, in *operationInput) (*huma.StreamResponse, error) {
		id, err := in.id()
		if err != nil {
			return nil, err
		}
		origin, err := in.origin(in.Reason)
		if err != nil {
			return nil, err
		}
		if origin.OperationID == "" {
			// The server makes the id, not the node that executes, so that a client can
			// repeat a request whose response was lost on the way from that node.
			origin.OperationID = operation.NewID()
		}
		request := ports.OperationRequest{GameID: id, Kind: kind, Origin: origin}
		if err := origin.Validate(); err != nil {
			return nil, problemOf(err, inRecordBody)
		}
		requested, err := s.operationBody(bodyOf(ctx), &request)
		if err != nil {
			return nil, err
		}
		if s.shuttingDown() {
			return nil, s.fail(ctx, shutdownProblem(), inRecordBody)
		}
		to, err := s.cfg.Cluster.Route(ctx, request, requested, in.Forwarded != "")
		if err != nil {
			s.auditOperation(request, api.OperationAnswer{}, err)
			return nil, s.fail(ctx, err, inRecordBody)
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			if !s.operations.acquire() {
				writeProblem(w, newProblem(http.StatusTooManyRequests, api.CodeTooManyOperations, "Too many operations",
					"as many requests as this server allows wait for operations"))
				return
			}
			defer s.operations.release()
			if to != nil {
				s.forwardOperation(w, r, *to, request, bodyOf(ctx.Context()))
				return
			}
			s.answerOperation(w, r, request, waitMode(in.Wait), streamForm(in.Accept))
		}}, nil
	}
}

// answerOperation carries the operation out here and answers.
func (s *Server) answerOperation(w http.ResponseWriter, r *http.Request, request ports.OperationRequest, wait waitMode, form form) {
	x := execution{request: request, wait: wait}
	var stream *operationStream
	if form != nil {
		stream = &operationStream{out: newEventWriter(w, form, s.cfg.WriteTimeout, s.cfg.Heartbeat)}
		x.report = stream.progress
	}
	answer, problem := s.executeWithHeartbeats(r.Context(), x, stream)
	if problem != nil {
		s.auditOperation(request, answer, problem)
	} else {
		s.auditOperation(request, answer, nil)
	}
	switch {
	case problem != nil && (stream == nil || !stream.out.opened):
		writeProblem(w, problem)
	case problem != nil:
		stream.event(api.OperationEvent{Type: api.TypeError, Problem: problem})
	case stream != nil:
		stream.event(api.ResultEvent(answer))
	default:
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
		status := http.StatusOK
		if wait == waitAccepted && answer.Outcome == nil {
			status = http.StatusAccepted
		}
		writeJSON(w, status, answer)
	}
}

// executeWithHeartbeats is execute with heartbeats on the stream, if there is one.
func (s *Server) executeWithHeartbeats(ctx context.Context, x execution, stream *operationStream) (api.OperationAnswer, *api.Problem) {
	if stream != nil {
		defer stream.heartbeats(s.cfg.Heartbeat)()
	}
	return s.execute(ctx, x)
}

// auditOperation leaves one line for each operation that was asked for, refused
// ones included.
func (s *Server) auditOperation(request ports.OperationRequest, answer api.OperationAnswer, err error) {
	line := s.cfg.Logger.With("verb", request.Kind, "game_id", request.GameID,
		"actor", request.Origin.Actor, "operation_id", request.Origin.OperationID)
	if err != nil {
		line.Info("operation not done, or not known to be", "error", err)
		return
	}
	line.Info("operation", "step", answer.Step, "revision", answer.Revision)
}
