package httpserver

import (
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/drift"
)

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
	if err := s.checkExplanation(callers.Of(r.Context()), page); err != nil {
		return err
	}
	page.History = orEmpty(page.History)
	page.Containers = orEmpty(page.Containers)
	page.Logs = orEmpty(page.Logs)
	page.Findings = orEmpty(page.Findings)
	page.Warnings = orEmpty(page.Warnings)
	return writeJSON(w, http.StatusOK, page)
}

// checkExplanation returns access.ErrForbidden if the explanation has data of a region in which the
// caller may not read the game. A game without a record, such as one whose first start is in
// progress or has failed, is in no region that could be checked before.
func (s *Server) checkExplanation(c callers.Caller, page drift.Explanation) error {
	for _, region := range s.regionsOf(page) {
		if err := c.CheckPlacement(access.PermissionRead, region, page.GameID); err != nil {
			return err
		}
	}
	return nil
}

// regionsOf returns the region of the record. Without one, it returns the regions of all
// operations, and this one for containers, which only this node has.
func (s *Server) regionsOf(page drift.Explanation) (regions []string) {
	if page.Record != nil {
		return []string{page.Record.Region}
	}
	if page.Intent != nil {
		if current := page.Intent.Current; current != nil {
			regions = append(regions, current.Region)
		}
		for _, outcome := range page.Intent.Recent {
			regions = append(regions, outcome.Region)
		}
	}
	if len(page.Containers) > 0 {
		regions = append(regions, s.cfg.Region)
	}
	return regions
}
