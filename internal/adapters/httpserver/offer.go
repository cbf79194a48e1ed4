package httpserver

import (
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
)

type offerInput struct {
	gameInput
	Forwarded string                       `header:"Rtmanager-Forwarded" hidden:"true"`
	Body      request.Body[operation.Spec] `body:"required"`
}

// getOffer handles POST /v1/runtimes/{game_id}/offer. It changes nothing; the method is POST
// because the spec is a body.
func (s *Server) getOffer(w http.ResponseWriter, r *http.Request, in *offerInput) error {
	if err := validateSpec(in.Body.Value); err != nil {
		return err
	}
	// The start checks the labels that the game gets. An offer discloses nothing about the game.
	if err := callers.Of(r.Context()).ForAnyLabels().CheckPlacement(access.PermissionOperate, s.cfg.Region, in.GameID); err != nil {
		return err
	}
	offer, err := s.cfg.Cluster.Offer(r.Context(), in.GameID, in.Body.Value)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Offer{Node: node.Ref{Region: s.cfg.Region, Name: s.cfg.Node}.String(), Offer: offer})
}
