package httpserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/peer"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// Forwarder sends requests to another node, and the responses to the
// client. peer.Client implements it, and documents the errors.
type Forwarder interface {
	// ForwardStream forwards a request whose response is a stream.
	ForwardStream(ctx context.Context, w http.ResponseWriter, r *http.Request, target node.Node, forwarded peer.ForwardedStream) error
	// Forward forwards the request of an operation.
	Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, target node.Node, forwarded peer.Forwarded) error
}

// forwardOperation forwards the operation to another node, and responds with its response. It
// reports whether the request may have arrived there.
func (s *Server) forwardOperation(w http.ResponseWriter, r *http.Request, target node.Node, request ports.OperationRequest, body []byte, wait waitMode) (hasArrived bool, _ error) {
	ctx, stop := s.cfg.Cluster.WithPresence(r.Context(), target)
	defer stop()
	log := s.cfg.Logger.With("game_id", request.GameID, "operation_id", request.Origin.OperationID, "target", target.Ref().String())
	log.Debug("operation forwarded")
	trailOf(r.Context()).forward(target.Ref())
	err := s.cfg.Peers.Forward(ctx, w, r, target, peer.Forwarded{
		Request: request, Body: body, Wait: string(wait), WriteTimeout: s.cfg.WriteTimeout, IdleTimeout: 4 * s.cfg.Heartbeat,
	})
	if err == nil {
		return true, nil
	}
	if !errors.Is(ctx.Err(), context.Canceled) || errors.Is(context.Cause(ctx), node.ErrUnreachable) {
		log.Error("operation could not be forwarded", "error", err)
	}
	var forward *peer.ForwardError
	if errors.As(err, &forward) && forward.MayHaveArrived {
		// The other node may continue the operation: the client must not treat it as failed.
		p := outcomeUnknownProblem(request, operation.Progress{}, err.Error())
		p.Region, p.Node = target.Region, target.Name
		return true, p
	}
	return false, problem.From(err, nil)
}

// maxIdle bounds how long a forwarded stream may be idle: a game can print nothing for months.
const maxIdle = 365 * 24 * time.Hour

// forwardRequest forwards the request with its path and query to another node, and responds with its response.
func (s *Server) forwardRequest(ctx context.Context, w http.ResponseWriter, r *http.Request, target node.Node, body []byte) error {
	idle := maxIdle
	if r.Header.Get("Upgrade") != "" {
		idle = s.cfg.CommandIdleTimeout
	}
	ctx, stop := s.cfg.Cluster.WithPresence(ctx, target)
	defer stop()
	trailOf(r.Context()).forward(target.Ref())
	err := s.cfg.Peers.ForwardStream(ctx, w, r, target, peer.ForwardedStream{Body: body, WriteTimeout: s.cfg.WriteTimeout, IdleTimeout: idle})
	if err == nil {
		return nil
	}
	if !errors.Is(ctx.Err(), context.Canceled) || errors.Is(context.Cause(ctx), node.ErrUnreachable) {
		s.cfg.Logger.Warn("request could not be forwarded", "target", target.Ref().String(), "error", err)
	}
	return problem.From(err, nil)
}
