package httpserver

import (
	"context"
	"errors"
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/peer"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// Forwarder sends the request of an operation to another node, and its response to the
// client. peer.Client implements it; its Forward documents the error.
type Forwarder interface {
	Forward(ctx context.Context, w http.ResponseWriter, r *http.Request, target node.Node, forwarded peer.Forwarded) error
}

// forwardOperation lets another node carry the operation out.
func (s *Server) forwardOperation(w http.ResponseWriter, r *http.Request, target node.Node, request ports.OperationRequest, body []byte) {
	ctx, stopDrain := s.withDrain(r.Context())
	defer stopDrain()
	ctx, stop := s.cfg.Cluster.WithPresence(ctx, target)
	defer stop()
	log := s.cfg.Logger.With("game_id", request.GameID, "operation_id", request.Origin.OperationID, "to", target.Ref().String())
	log.Debug("operation forwarded")
	err := s.cfg.Peers.Forward(ctx, w, r, target, peer.Forwarded{
		Request: request, Body: body, Wait: r.URL.Query().Get("wait"), WriteTimeout: s.cfg.WriteTimeout,
	})
	if err == nil {
		return
	}
	if !errors.Is(ctx.Err(), context.Canceled) || errors.Is(context.Cause(ctx), node.ErrUnreachable) {
		log.Error("operation could not be forwarded", "error", err)
	}
	var forward *peer.ForwardError
	if errors.As(err, &forward) && forward.Sent {
		// The other node may continue the operation: the client must not treat it as failed.
		p := stillRunning(request, operation.Progress{}, err.Error())
		p.Region, p.Node = target.Region, target.Name
		writeProblem(w, p)
		return
	}
	writeProblem(w, problemOf(err, inRecordBody))
}
