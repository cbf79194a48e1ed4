package httpserver

import (
	"net/http"

	"galaxy/rtmanager/internal/api"
)

// getNodes handles GET /v1/nodes.
func (s *Server) getNodes(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	present, leaders, err := s.cfg.Cluster.Nodes(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Nodes{Responder: s.self(), Items: orEmpty(present), Leaders: orEmpty(leaders)})
}
