package httpserver

import "net/http"

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
