package httpserver

import (
	"net/http"

	"galaxy/rtmanager/internal/api"
)

// noInput is the request of a route without parameters.
type noInput struct{}

// getNodes handles GET /v1/nodes.
func (s *Server) getNodes(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	present, leaders, err := s.cfg.Cluster.Nodes(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Nodes{Responder: s.self(), Items: orEmpty(present), Leaders: orEmpty(leaders)})
}

type explainInput struct {
	gameInput
	Forwarded string `header:"Rtmanager-Forwarded" hidden:"true"`
}

// explainRuntime handles GET /v1/runtimes/{game_id}/explain.
func (s *Server) explainRuntime(w http.ResponseWriter, r *http.Request, in *explainInput) error {
	page, err := s.cfg.Cluster.Explain(r.Context(), in.GameID, in.Forwarded != "")
	if err != nil {
		return err
	}
	page.History = orEmpty(page.History)
	page.Containers = orEmpty(page.Containers)
	page.Logs = orEmpty(page.Logs)
	page.Findings = orEmpty(page.Findings)
	page.Warnings = orEmpty(page.Warnings)
	return writeJSON(w, http.StatusOK, page)
}
